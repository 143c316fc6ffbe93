"""Builds core and runner from settings, whatever hosts them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
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
"""Queries of the figures that the pool begins with: calls, verdicts, latest traffic."""


async def build_core(settings: Settings, env: Mapping[str, str], *, sinks: Sequence[Observer] | None = None) -> Core:
    """Build the core of this home; it owns the journal's file from here on.

    Args:
        settings: limits and defaults.
        env: holds the keys.
        sinks: follow the engine; the active ones when absent.

    Raises:
        JournalLocked: another process owns the file.
        SettingsError: a model card or a weight is wrong.
    """
    registry = Registry.load(settings)
    configured = configured_providers(settings, env)
    pool = ProviderPool(
        registry, settings, configured, clock=time.monotonic, new_id=lambda: new_id("att"), jitter=random.random
    )
    # 0.4 s that must not stall the first lease; a price that is needed earlier waits for this thread.
    Thread(target=registry.prices.compile, name="prices", daemon=True).start()
    observers = Observers(active_sinks() if sinks is None else sinks)
    journal = await DuckDBJournal.open(settings.journal_path, listener=observers)
    await close_ended_runs(journal)
    for owner, usd in await journal.spent_on(registry.today()):
        pool.budgets.add_spent(owner, usd)
    await _recall(journal, pool)
    return Core(settings, registry, configured, journal=journal, pool=pool, observers=observers)


async def _recall(journal: DuckDBJournal, pool: ProviderPool) -> None:
    """Give the pool the journal's figures of the models, unless reading them takes too long."""
    try:
        tables = [await journal.query(sql) for sql in _RECALLED]
    except Ai3Error as error:
        log.warning("routing starts without the journal's statistics: %s", error)
        return
    models, kinds, latest = [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in tables]
    pool.warm_start(models, kinds, [row["model"] for row in reversed(latest)])


class RunnerParts:
    """One runner and what is closed with it; `env` is read at the first call of each provider."""

    def __init__(
        self, runner_id: str, settings: Settings, env: Mapping[str, str], core: CorePort, isolation: Isolation
    ) -> None:
        registry = Registry.load(settings)
        files = embedded_model_files(settings)
        self._providers = LazyProviders(lambda name: build_provider(name, settings.providers[name], env, files))
        self._core_client = CoreClient(core, runner_id)
        self._prices = registry.prices
        best = _best_planner(settings, registry, env)
        first = best.partition("/")[0] if best else ""
        configured = configured_providers(settings, env)
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
        """Import, in a thread, what the first call would wait for: prices, and the SDKs of configured providers."""
        await asyncio.to_thread(self._prices.compile)
        await asyncio.to_thread(import_sdks, self._wires)

    async def flush(self) -> None:
        """Return once all that the runner reported has been sent."""
        await self._core_client.flush()

    async def aclose(self) -> None:
        """Send what is left, and close the connections."""
        await self._core_client.flush()
        await self._core_client.aclose()
        await self._providers.aclose()


def _best_planner(settings: Settings, registry: Registry, env: Mapping[str, str]) -> str | None:
    try:
        return registry.planner(settings, configured_providers(settings, env)).name
    except UsageError:  # no key on this node, or no model that plans: the pool's refusal will say so
        return None
