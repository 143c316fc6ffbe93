"""RunReader runs: which one is meant, and what is kept of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from ai3ray.domain.events import Decision, Event, parse_event
from ai3ray.domain.run import TERMINAL
from ai3ray.errors import UnknownRun, UsageError

from ..command_context import CommandContext
from ..follow import watch_to_end
from ..live.progress import Progress

if TYPE_CHECKING:
    from ai3ray.client.port import RunReader
    from ai3ray.domain.listings import RunRow
    from ai3ray.domain.result import RunResult

FULL_ID = re.compile(r"run_[0-9a-z]{22}")
NEWEST = 200  # how many runs the beginning of an id is compared with

MOST_EVENTS = 10_000

_HISTORY = "SELECT body FROM events WHERE run_id = '{}' AND type LIKE '{}' ORDER BY seq"


async def resolve_run_id(reader: RunReader, word: str) -> str:
    """The run that a word means: an id, the beginning of one, or `last`.

    Raises:
        UnknownRun: there is none.
        UsageError: there are several.
    """
    if FULL_ID.fullmatch(word):
        return word
    if word == "last":
        newest = await reader.runs(limit=1)
        if not newest:
            raise UnknownRun("there are no runs yet")
        return newest[0].run_id
    start = word if word.startswith("run_") else f"run_{word}"
    found = [row.run_id for row in await reader.runs(limit=NEWEST) if row.run_id.startswith(start)]
    if not found:
        raise UnknownRun(f"no run {word!r}; 'ai3 runs list' shows the runs there are")
    if len(found) > 1:
        raise UsageError(f"{word!r} is the beginning of {len(found)} runs: {', '.join(found[:3])}; give more of it")
    return found[0]


async def newest_runs(context: CommandContext, limit: int) -> Sequence[RunRow]:
    """The runs of this home, newest first."""
    async with context.reader() as reader:
        return await reader.runs(limit=limit)


async def load_run(context: CommandContext, word: str) -> RunResult:
    """The run as it stands. Raises UnknownRun."""
    async with context.reader() as reader:
        return await reader.result(await resolve_run_id(reader, word))


async def load_decisions(context: CommandContext, word: str) -> Sequence[Decision]:
    """The run's routing decisions so far. Raises UnknownRun."""
    async with context.reader() as reader:
        known = await reader.result(await resolve_run_id(reader, word))
        return [event for event in await _history(reader, known, "decision") if isinstance(event, Decision)]


async def watch_run(context: CommandContext, word: str, progress: Progress) -> RunResult:
    """Follow the run to its end; without a head there is only what the journal holds. Raises UnknownRun."""
    from ai3ray.client.client import Client

    async with context.reader() as reader:
        run_id = await resolve_run_id(reader, word)
        if isinstance(reader, Client):
            return await watch_to_end(reader, run_id, progress.event)
        known = await reader.result(run_id)
        for event in await _history(reader, known):
            progress.event(event)
        return known


async def resume_run(context: CommandContext, word: str, progress: Progress) -> RunResult:
    """Follow the run to its end, brought back to life if its head is gone. Raises UnknownRun."""
    async with context.reader() as reader:
        run_id = await resolve_run_id(reader, word)
        known = await reader.result(run_id)
        if known.status in TERMINAL:  # there is nothing to go on with, so nothing to start a head for
            for event in await _history(reader, known):
                progress.event(event)
            return known
    async with context.connect(progress.note) as client:
        await client.resume(run_id)
        return await watch_to_end(client, run_id, progress.event)


async def cancel_run(context: CommandContext, word: str, notify: Callable[[str], None]) -> RunResult:
    """Cancel the run. Raises UnknownRun."""
    async with context.connect(notify) as client:
        return await client.cancel(await resolve_run_id(client, word))


async def _history(reader: RunReader, run: RunResult, event_type: str = "%") -> Sequence[Event]:
    """The journal's events of a run. Of one that is going by SQL, because its event stream has no end."""
    from ai3ray.client.client import Client

    if isinstance(reader, Client) and run.status in TERMINAL:  # a server's key may read and yet not use SQL
        async with aclosing(reader.events(run.run_id)) as events:
            return [event async for event in events if event_type in ("%", event.type)]
    query = _HISTORY.format(run.run_id.replace("'", "''"), event_type)
    table = await reader.sql(query, max_rows=MOST_EVENTS)
    return [parse_event(body if isinstance(body, str) else json.dumps(body)) for (body,) in table.rows]
