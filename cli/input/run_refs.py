"""Commands on a run that the command line names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path

from ai3ray.client.client import Client
from ai3ray.client.port import RunReader
from ai3ray.domain.events import Decision, Event, parse_event
from ai3ray.domain.result import RunResult
from ai3ray.domain.run import TERMINAL
from ai3ray.errors import UnknownRun, UsageError
from ai3ray.sql.statements import named_statements, with_literals

from ..command_context import CommandContext
from ..follow import watch_to_end
from ..live.progress import Progress

FULL_ID = re.compile(r"run_[0-9a-z]{22}")
NEWEST = 200  # runs searched for the beginning of an id
MOST_EVENTS = 10_000

_SQL = Path(__file__).with_suffix(".sql")


async def resolve_run_id(reader: RunReader, ref: str) -> str:
    """Return the run id for an id, the beginning of one, or `last`.

    Raises:
        UnknownRun: there is no such run.
        UsageError: there are several.
    """
    if FULL_ID.fullmatch(ref):
        return ref
    if ref == "last":
        newest = await reader.runs(limit=1)
        if not newest:
            raise UnknownRun("no runs yet")
        return newest[0].run_id
    start = ref if ref.startswith("run_") else f"run_{ref}"
    found = [row.run_id for row in await reader.runs(limit=NEWEST) if row.run_id.startswith(start)]
    if not found:
        raise UnknownRun(f"no run {ref!r}; 'ai3 runs list' shows the runs there are")
    if len(found) > 1:
        raise UsageError(f"{ref!r} is the beginning of {len(found)} runs: {', '.join(found[:3])}; give more of it")
    return found[0]


async def load_run(reader: RunReader, ref: str) -> RunResult:
    """Return the run as it is now."""
    return await reader.result(await resolve_run_id(reader, ref))


async def load_decisions(reader: RunReader, ref: str) -> Sequence[Decision]:
    """Return the run's routing decisions so far."""
    known = await load_run(reader, ref)
    return [event for event in await _history(reader, known, "decision") if isinstance(event, Decision)]


async def watch_run(reader: RunReader, ref: str, progress: Progress) -> RunResult:
    """Follow the run to its end; without a head, replay the journal."""
    run_id = await resolve_run_id(reader, ref)
    if isinstance(reader, Client):
        return await watch_to_end(reader, run_id, progress.event)
    return await _replay(reader, await reader.result(run_id), progress)


async def resume_run(context: CommandContext, ref: str, progress: Progress) -> RunResult:
    """Resume an unfinished run and follow it; replay a finished one."""
    async with context.reader() as reader:
        known = await load_run(reader, ref)
        if known.status in TERMINAL:  # nothing to resume, so no head is started
            return await _replay(reader, known, progress)
    async with context.connect(progress.note) as client:
        await client.resume(known.run_id)
        return await watch_to_end(client, known.run_id, progress.event)


async def cancel_run(context: CommandContext, ref: str, notify: Callable[[str], None]) -> RunResult:
    """Cancel the run; without a server or head, start one only for a run that has not ended."""
    async with context.reader() as reader:
        if isinstance(reader, Client):
            return await reader.cancel(await resolve_run_id(reader, ref))
        known = await load_run(reader, ref)
        if known.status in TERMINAL:
            return known
    async with context.connect(notify) as client:
        return await client.cancel(known.run_id)


async def _replay(reader: RunReader, run: RunResult, progress: Progress) -> RunResult:
    for event in await _history(reader, run):
        progress.event(event)
    return run


async def _history(reader: RunReader, run: RunResult, event_type: str = "%") -> Sequence[Event]:
    """Return the journaled events; by SQL for an active run, because its stream does not end."""
    if isinstance(reader, Client) and run.status in TERMINAL:  # a server's key may read and yet not use SQL
        async with aclosing(reader.events(run.run_id)) as events:
            return [event async for event in events if event_type in ("%", event.type)]
    query = with_literals(named_statements(_SQL)["history"], run_id=run.run_id, event_type=event_type)
    table = await reader.sql(query, max_rows=MOST_EVENTS)
    return [parse_event(body if isinstance(body, str) else json.dumps(body)) for (body,) in table.rows]
