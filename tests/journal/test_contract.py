"""What both journals promise."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.domain.events import Final, PlanProgress, TaskStart, TextDelta, Warned, parse_event
from ai3ray.domain.run import fold
from ai3ray.errors import IllegalTransition, JournalError, KeyReused, UnknownRun
from ai3ray.journal.memory import MemoryJournal
from ai3ray.journal.port import Journal, RunMeta
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import ENDED, MODEL, attempt, planned, started, whole_run

AnyJournal = MemoryJournal | DuckDBJournal


async def put_run(journal: Journal, run_id: str) -> None:
    for step in whole_run(run_id):
        receipt = journal.put(run_id, step.events, step.attempts)
    await receipt.committed()


async def test_events_are_stamped_with_run_seq_and_time(journal: AnyJournal) -> None:
    first = journal.put("r", [started()])
    second = journal.put("r", [PlanProgress(phase="started"), planned(["a"])])
    assert [(event.run_id, event.seq) for event in (*first.events, *second.events)] == [("r", 1), ("r", 2), ("r", 3)]
    assert all(event.ts.endswith("Z") for event in second.events)
    await second.committed()


async def test_the_live_state_holds_what_is_not_committed_yet(journal: AnyJournal) -> None:
    journal.put("r", [started("hello")])
    journal.put("r", attempts=[attempt("r", None, "call", "started")])
    assert journal.state("r").status == "queued"
    assert journal.state("r").attempts["call"].status == "started"
    assert journal.open_runs() == ("r",)


async def test_a_put_is_taken_whole_or_not_at_all(journal: AnyJournal) -> None:
    journal.put("r", [started()])
    before = journal.state("r")
    with pytest.raises(IllegalTransition):
        journal.put("r", [PlanProgress(phase="started"), Final(status="succeeded", output=""), ENDED, ENDED])
    with pytest.raises(IllegalTransition):
        journal.put("r", [Warned(message="m", code="c")], [attempt("another", None, "call")])
    assert journal.state("r") == before
    receipt = journal.put("r", [Warned(message="m", code="c")])
    await receipt.committed()
    assert receipt.events[0].seq == 2
    assert len(await journal.tail("r", 0)) == 2


async def test_a_delta_is_never_journaled(journal: AnyJournal) -> None:
    journal.put("r", [started()])
    with pytest.raises(IllegalTransition):
        journal.put("r", [TextDelta(type="task_delta", text="x")])


async def test_a_run_starts_once(journal: AnyJournal) -> None:
    journal.put("r", [started()])
    with pytest.raises(IllegalTransition):
        journal.put("r", [started()])


async def test_an_unknown_run_is_named(journal: AnyJournal) -> None:
    with pytest.raises(UnknownRun, match="nowhere"):
        journal.put("nowhere", [Warned(message="m", code="c")])
    with pytest.raises(UnknownRun, match="nowhere"):
        journal.state("nowhere")
    with pytest.raises(UnknownRun, match="nowhere"):
        await journal.tail("nowhere", 0)
    assert list(await journal.runs()) == []
    assert list(journal.open_runs()) == []


async def test_the_same_key_a_second_time_changes_nothing(journal: AnyJournal) -> None:
    journal.put("r", [started()], key="start")
    first = journal.put("r", [planned(["a"])], [attempt("r", None, "call")], key="plan")
    await first.committed()
    journal.put("r", [TaskStart(task_id="a", attempt_id="x", model=MODEL)])
    before = journal.state("r")
    again = journal.put("r", [planned(["a"])], [attempt("r", None, "call", "lost")], key="plan")
    await again.committed()
    assert again.events == first.events
    assert journal.state("r") == before


async def test_a_key_belongs_to_its_run(journal: AnyJournal) -> None:
    journal.put("r", [started()], key="start")
    assert journal.put("s", [started()], key="start").events[0].run_id == "s"


async def test_a_call_may_end_after_its_run(journal: AnyJournal) -> None:
    await put_run(journal, "r")
    late = attempt("r", "a", "late", "cancelled")
    await journal.put("r", attempts=[late]).committed()
    assert journal.state("r").attempts["late"] == late
    assert journal.open_runs() == ()


async def test_tail_gives_what_is_after_and_ends_with_stats(journal: AnyJournal) -> None:
    await put_run(journal, "r")
    lines = list(await journal.tail("r", 0))
    assert [parse_event(line).seq for line in lines] == list(range(1, len(lines) + 1))
    assert parse_event(lines[-1]).type == "stats"
    for after in range(len(lines)):
        assert list(await journal.tail("r", after)) == lines[after:]
    assert list(await journal.tail("r", len(lines))) == []
    assert list(await journal.tail("r", len(lines) + 7)) == []


async def test_tail_waits_for_the_next_event_of_its_run(journal: AnyJournal) -> None:
    await journal.put("r", [started()]).committed()
    reader = asyncio.create_task(journal.tail("r", 1))
    await journal.put("other", [started()]).committed()
    await asyncio.sleep(0)
    assert not reader.done()
    await journal.put("r", [Warned(message="m", code="c")]).committed()
    assert [parse_event(line).type for line in await reader] == ["warning"]


async def test_a_reader_that_leaves_does_not_disturb_the_others(journal: AnyJournal) -> None:
    await journal.put("r", [started()]).committed()
    leaving, staying = (asyncio.create_task(journal.tail("r", 1)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await journal.put("r", [Warned(message="m", code="c")]).committed()
    assert len(await staying) == 1


async def test_readers_see_every_event_once_and_in_order(journal: AnyJournal) -> None:
    async def read() -> list[str]:
        seen: list[str] = []
        while lines := await journal.tail("r", len(seen)):
            seen.extend(lines)
        return seen

    journal.put("r", [started()])
    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read()) for _ in range(3)]
        for step in list(whole_run("r"))[1:]:
            journal.put("r", step.events, step.attempts)
            await asyncio.sleep(0)
    seen = [reader.result() for reader in readers]
    assert seen[0] == seen[1] == seen[2]
    state = fold((parse_event(line) for line in seen[0]), journal.state("r").attempts.values())
    assert state == journal.state("r")


async def test_finished_runs_are_the_same_after_they_left_memory(journal: AnyJournal) -> None:
    """More runs than any cache keeps: state and lines are those of the live run."""
    states, lines = {}, {}
    for number in range(20):
        run_id = f"r{number}"
        for step in whole_run(run_id):
            receipt = journal.put(run_id, step.events, step.attempts)
        states[run_id] = journal.state(run_id)
        lines[run_id] = list(await journal.tail(run_id, 0))
        await receipt.committed()
        lines[run_id] = list(await journal.tail(run_id, 0))
    assert journal.open_runs() == ()
    for run_id, state in states.items():
        assert journal.state(run_id) == state
        assert list(await journal.tail(run_id, 0)) == lines[run_id]
        assert list(await journal.tail(run_id, state.seq)) == []
    with pytest.raises(IllegalTransition):
        journal.put("r0", [ENDED])


async def test_runs_are_listed_newest_first_in_pages(journal: AnyJournal) -> None:
    for run_id in ("r1", "r2", "r3"):
        await put_run(journal, run_id)
    rows = list(await journal.runs())
    assert [row.run_id for row in rows] == ["r3", "r2", "r1"]
    assert [row.run_id for row in await journal.runs(limit=2)] == ["r3", "r2"]
    assert [row.run_id for row in await journal.runs(limit=2, before="r2")] == ["r1"]
    assert list(await journal.runs(before="nowhere")) == []
    state = journal.state("r3")
    assert rows[0].started_at == state.created_at
    assert (rows[0].status, rows[0].prompt, rows[0].cost_usd) == ("succeeded", "say hello", 0.5)


async def test_open_runs_are_those_without_stats(journal: AnyJournal) -> None:
    journal.put("r1", [started()])
    journal.put("r2", [started()])
    await put_run(journal, "r3")
    assert list(journal.open_runs()) == ["r1", "r2"]


async def test_a_run_is_found_by_its_idempotency_key(journal: AnyJournal) -> None:
    meta = RunMeta(owner="ann", request_key="ann/1", request_hash="h")
    receipt = journal.put("r", [started()], meta=meta)
    assert journal.find_by_key("ann/1") == ("r", "h")
    assert journal.find_by_key("ann/2") is None
    with pytest.raises(KeyReused):
        journal.put("s", [started()], meta=meta)
    with pytest.raises(UnknownRun):
        journal.state("s")
    await receipt.committed()
    assert journal.meta("r") == meta


async def test_whoever_takes_a_run_over_raises_its_epoch(journal: AnyJournal) -> None:
    journal.put("r", [started()], meta=RunMeta(owner="ann"))
    await journal.put("r", meta=journal.meta("r").model_copy(update={"epoch": 2})).committed()
    assert journal.meta("r") == RunMeta(owner="ann", epoch=2)


async def test_a_closed_journal_takes_nothing_and_frees_its_readers(journal: AnyJournal) -> None:
    await journal.put("r", [started()]).committed()
    reader = asyncio.create_task(journal.tail("r", 1))
    await asyncio.sleep(0)
    await journal.aclose()
    with pytest.raises(JournalError, match="closed"):
        await reader
    with pytest.raises(JournalError, match="closed"):
        journal.put("r", [Warned(message="m", code="c")])
