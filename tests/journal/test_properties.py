"""Random histories, legal and not."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ai3ray.domain.events import parse_event
from ai3ray.domain.run import RunState, fold
from ai3ray.errors import IllegalTransition
from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.port import Journal
from ai3ray.journal.reader import JournalReader
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import Step, planned, started, steps

OPENING = [Step((started(),)), Step((planned(("a", "b")),))]
HISTORIES = st.lists(steps("r"), max_size=12).map(lambda more: [*OPENING, *more])


def put(journal: Journal, step: Step, key: str) -> bool:
    """Whether the journal took it; if not, the run is as it was."""
    before = journal.state("r") if "r" in journal.open_runs() else None
    try:
        receipt = journal.put("r", step.events, step.attempts, key=key)
    except IllegalTransition:
        assert before is None or journal.state("r") == before
        return False
    assert [event.type for event in receipt.events] == [event.type for event in step.events]
    return True


@settings(deadline=None, max_examples=100)
@given(HISTORIES)
def test_the_fold_of_what_was_told_is_the_live_state_after_every_prefix(history: list[Step]) -> None:
    async def check() -> None:
        journal = MemoryJournal()
        attempts = {}
        for number, step in enumerate(history):
            if put(journal, step, str(number)):
                attempts |= {call.attempt_id: call for call in step.attempts}
            lines = await journal.tail("r", 0)
            assert fold(map(parse_event, lines), attempts.values()) == journal.state("r")

    asyncio.run(check())


@settings(deadline=None, max_examples=60)
@given(HISTORIES, st.data())
def test_sending_everything_twice_is_sending_it_once(history: list[Step], data: st.DataObject) -> None:
    async def check() -> None:
        once, twice = timeless(), timeless()
        for number, step in enumerate(history):
            if put(once, step, str(number)):
                put(twice, step, str(number))
            again = data.draw(st.integers(0, number))
            put(twice, history[again], str(again)) if str(again) in taken(twice) else None
            assert once.state("r") == twice.state("r")

    asyncio.run(check())


def timeless() -> MemoryJournal:
    return MemoryJournal(clock=lambda: "2026-11-22T10:00:00.000Z", monotonic=lambda: 0.0)


def taken(journal: MemoryJournal) -> set[str]:
    return set(journal._sequencer._run("r").puts)


@settings(deadline=None, max_examples=10)
@given(HISTORIES)
def test_what_is_on_disk_folds_to_the_live_state_after_every_commit(history: list[Step]) -> None:
    async def check(path: Path) -> RunState:
        journal = await DuckDBJournal.open(path)
        for number, step in enumerate(history):
            if put(journal, step, str(number)):
                await journal.put("r").committed()
                stored = journal._tables.load("r")
                assert stored is not None
                assert stored.state == journal.state("r")
                assert await told_by_rows(journal) == told_by_state(journal.state("r"))
        live = journal.state("r")
        await journal.aclose()
        return live

    async def reread(path: Path) -> RunState:
        reader = await JournalReader.open(path)
        state = await reader.state("r")
        await reader.aclose()
        return state

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.duckdb"
        assert asyncio.run(check(path)) == asyncio.run(reread(path))


async def told_by_rows(journal: DuckDBJournal) -> tuple[object, ...]:
    run = await journal.query("SELECT status, round(cost_usd, 10), input_tokens, complete FROM runs")
    tasks = await journal.query(
        "SELECT task_id, status, model, attempts, artifact, verdict, round(cost_usd, 10), started_at "
        "FROM tasks ORDER BY task_id"
    )
    attempts = await journal.query("SELECT attempt_id, status, cost_usd FROM attempts ORDER BY attempt_id")
    artifacts = await journal.query("SELECT task_id, artifact, text FROM artifacts ORDER BY task_id")
    return run.rows[0], tasks.rows, attempts.rows, artifacts.rows


def told_by_state(state: RunState) -> tuple[object, ...]:
    calls = state.attempts.values()
    run = (
        state.status,
        round(sum(call.cost_usd or 0 for call in calls), 10),
        sum(call.input_tokens for call in calls),
        state.complete,
    )
    tasks = tuple(
        (
            task.id,
            task.status,
            task.model,
            task.attempts,
            task.artifact,
            task.verdict.model_dump(mode="json") if task.verdict else None,
            cost_of(state, task.id),
            task.started_at,
        )
        for task in state.tasks.values()
    )
    attempts = tuple(sorted((call.attempt_id, call.status, call.cost_usd) for call in calls))
    artifacts = tuple((task.id, task.artifact, task.output) for task in state.tasks.values() if task.artifact)
    return run, tasks, tuple(attempts), artifacts


def cost_of(state: RunState, task_id: str) -> float | None:
    calls = [call for call in state.attempts.values() if call.task_id == task_id]
    if any(call.cost_usd is None and call.input_tokens for call in calls):
        return None
    return round(sum(call.cost_usd or 0 for call in calls), 10)
