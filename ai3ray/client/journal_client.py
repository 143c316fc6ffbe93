"""Read or prune a home's journal while no head is running."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ai3ray.domain.events import Stats
from ai3ray.domain.listings import ModelView, PruneReport, RunRow, Table
from ai3ray.domain.result import RunResult
from ai3ray.journal.reader import JournalReader
from ai3ray.registry.registry import Registry
from ai3ray.settings.configured import configured_providers
from ai3ray.settings.model import Settings
from ai3ray.sql.statements import named_statements

_SQL = Path(__file__).with_name("model_stats.sql")


class JournalClient:
    """The reading half of `Client`, over the journal's file.

    Args:
        reader: the journal.
        settings: the registry's settings.
        env: the environment with the provider keys.
    """

    def __init__(self, reader: JournalReader, settings: Settings, env: Mapping[str, str]) -> None:
        self._reader = reader
        self._settings = settings
        self._env = env

    async def runs(self, limit: int = 50, before: str | None = None) -> Sequence[RunRow]:
        """List runs, newest first; `before` is the run id that the page starts after."""
        return await self._reader.runs(limit, before)

    async def result(self, run_id: str) -> RunResult:
        """Return the run's recorded state. Raises UnknownRun."""
        return await self._reader.result(run_id)

    async def lines(self, run_id: str, after: int = 0) -> Sequence[str]:
        """Return the run's events after `after` as lines of JSON. Raises UnknownRun."""
        return await self._reader.lines(run_id, after)

    async def sql(self, query: str, max_rows: int = 10_000) -> Table:
        """Run one read-only SELECT. Raises RequestError for anything else."""
        return await self._reader.query(query, max_rows=max_rows)

    async def stats(self) -> Stats:
        """Return statistics over all runs."""
        return await self._reader.stats()

    async def models(self) -> Sequence[ModelView]:
        """Return all models with their telemetry from the journal."""
        registry = Registry.load(self._settings)
        configured = configured_providers(self._settings, self._env)
        table = await self._reader.query(named_statements(_SQL)["model_stats"])
        known = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
        unused: Mapping[str, Any] = {"share": 0.0} if known else {}
        views = []
        for card in registry.cards():
            usable = card.provider in configured
            prices = registry.prices.list_price(card.provider, card.id)
            used = known.get(card.name, unused)
            view = ModelView(
                model=card.name,
                provider=card.provider,
                tier=card.tier,
                context=card.context,
                max_output=card.max_output,
                configured=usable,
                state="retired" if registry.retired(card) else "ready" if usable else "unconfigured",
                input_usd_per_mtok=prices.input if prices else None,
                output_usd_per_mtok=prices.output if prices else None,
                calls=used.get("calls", 0),
                success=used.get("success_rate"),
                p50_s=used.get("p50_s"),
                p95_s=used.get("p95_s"),
                cost_usd=used.get("cost_usd"),
                cost_per_1k_tokens=used.get("cost_per_1k_tokens"),
                share=used.get("share"),
            )
            views.append(view)
        return views


@asynccontextmanager
async def open_journal_client(settings: Settings, env: Mapping[str, str]) -> AsyncIterator[JournalClient]:
    """Open the home's journal read-only. Raises JournalLocked while another process holds it."""
    reader = await JournalReader.open(settings.journal_path)
    try:
        yield JournalClient(reader, settings, env)
    finally:
        await reader.aclose()


async def prune_journal(settings: Settings, older_than_s: float, *, dry_run: bool) -> PruneReport:
    """Delete old runs from the journal's file, if there is one. Raises JournalLocked."""
    from ai3ray.journal.store import DuckDBJournal

    if not settings.journal_path.exists():
        return PruneReport(runs=0, events=0, bytes=0, dry_run=dry_run)
    journal = await DuckDBJournal.open(settings.journal_path, open_wait_s=0.0)
    try:
        return await journal.prune(older_than_s, dry_run=dry_run)
    finally:
        await journal.aclose()
