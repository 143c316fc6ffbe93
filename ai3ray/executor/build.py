"""Builds core and runner from settings."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread

from ai3ray.domain.call import Timeouts
from ai3ray.domain.ids import new_id
from ai3ray.errors import Ai3Error, UsageError
from ai3ray.executor.caller import Caller, LazyProviders
from ai3ray.executor.core import Core
from ai3ray.executor.core_client import CoreClient
from ai3ray.executor.port import CorePort
from ai3ray.executor.recovery import close_ended_runs
from ai3ray.executor.runner import Runner
from ai3ray.journal.store import DuckDBJournal
from ai3ray.planner.planner import PlannerSettings
from ai3ray.pool.pool import ProviderPool
from ai3ray.providers.build import build_provider, import_sdks
from ai3ray.registry.registry import Registry
from ai3ray.settings.configured import configured_providers, embedded_model_files
from ai3ray.settings.model import Settings
from ai3ray.telemetry.observers import Observers, active_sinks
from ai3ray.telemetry.port import Observer
from ai3ray.verifier.isolation import Isolation

log = logging.getLogger(__name__)

_RECALLED = (
    "select * from model_stats",
    "select * from model_kind_stats",
    "select model from attempts order by started_at desc limit 200",
)
"""Calls, verdicts and latest traffic."""


async def build_core(settings: Settings, env: Mapping[str, str], *, sinks: Sequence[Observer] | None = None) -> Core:
    """Build this home's core; `sinks` defaults to the active ones.

    Raises:
        JournalLocked: another process has locked the journal.
        SettingsError: a model card or a weight is wrong.
    """
    registry = Registry.load(settings)
    configured = configured_providers(settings, env)
    pool = ProviderPool(
        registry, settings, configured, clock=time.monotonic, new_id=lambda: new_id("att"), jitter=random.random
    )
    # Compiling takes 0.4 s, which must not delay the first lease; an earlier price waits for this thread.
    Thread(target=registry.prices.compile, name="prices", daemon=True).start()
    observers = Observers(active_sinks() if sinks is None else sinks)
    journal = await DuckDBJournal.open(settings.journal_path, listener=observers)
    await close_ended_runs(journal)
    for owner, usd in await journal.spent_on(registry.today()):
        pool.budgets.add_spent(owner, usd)
    await _recall(journal, pool)
    return Core(settings, registry, configured, journal=journal, pool=pool, observers=observers)


async def _recall(journal: DuckDBJournal, pool: ProviderPool) -> None:
    try:
        tables = [await journal.query(sql) for sql in _RECALLED]
    except Ai3Error as error:
        log.warning("routing starts without the journal's statistics: %s", error)
        return
    models, kinds, latest = [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in tables]
    pool.warm_start(models, kinds, [row["model"] for row in reversed(latest)])


class RunnerParts:
    """A runner with its connections; `env` is read at each provider's first call."""

    def __init__(
        self, runner_id: str, settings: Settings, env: Mapping[str, str], core: CorePort, isolation: Isolation
    ) -> None:
        registry = Registry.load(settings)
        files = embedded_model_files(settings)
        self._providers = LazyProviders(lambda name: build_provider(name, settings.providers[name], env, files))
        self._core_client = CoreClient(core, runner_id)
        self._prices = registry.prices
        configured = configured_providers(settings, env)
        best: str | None = None
        with suppress(UsageError):  # no key on this node, or no model that plans: the pool's refusal says so
            best = registry.planner(settings, configured).name
        first = best.partition("/")[0] if best else ""
        usual = {card.provider for card in registry.default_cards(configured)}
        seldom = {card.provider for card in registry.cards(configured)} - usual
        names = sorted(set(configured) - seldom, key=lambda name: (name != first, name))
        self._wires = [settings.providers[name].wire for name in names]
        caller = Caller(self._core_client, self._providers, registry.card, registry.prices, Timeouts())
        planner = PlannerSettings(
            max_output_tokens=settings.planner_maxtok,
            temperature=settings.planner_temperature,
            best=best,
        )
        self.runner = Runner(self._core_client, caller, isolation, planner)

    async def warm_up(self) -> None:
        """Load prices and SDKs ahead of the first call."""
        await asyncio.to_thread(self._prices.compile)
        await asyncio.to_thread(import_sdks, self._wires)

    async def flush(self) -> None:
        """Return once all messages are sent."""
        await self._core_client.flush()

    async def aclose(self) -> None:
        """Flush, then close the connections."""
        await self._core_client.flush()
        await self._core_client.aclose()
        await self._providers.aclose()
