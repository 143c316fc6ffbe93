"""While the disk takes nothing, nothing is lost, shown or begun; when it does again, all goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ai3ray.domain.events import Event, PlanProgress, Warned
from ai3ray.errors import JournalError, RequestError, UnknownRun
from ai3ray.journal import commits, sequencer
from ai3ray.journal.entries import PutReceipt
from ai3ray.journal.port import RunMeta
from ai3ray.journal.reader import JournalReader
from ai3ray.journal.rows import batch_of
from ai3ray.journal.store import DuckDBJournal
from tests.journal.full_disk import fill_log, full_disk, log_of
from tests.journal.histories import attempt, planned, started, whole_run

STEPS = list(whole_run("r"))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(commits, "_LONGEST_PAUSE_S", 0.05)


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[DuckDBJournal]:
    """A journal with a run `r` that has begun."""
    journal = await DuckDBJournal.open(path)
    await fill_log(journal)
    await journal.put("r", STEPS[0].events, key="0").committed()
    yield journal
    await journal.aclose()


def put_rest(journal: DuckDBJournal) -> list[PutReceipt]:
    """The steps of `r` after its start."""
    return [journal.put("r", step.events, step.attempts, key=str(n)) for n, step in enumerate(STEPS[1:], 1)]


async def refusal(journal: DuckDBJournal) -> str:
    """What a new run is told."""
    with pytest.raises(JournalError) as caught:
        await journal.put("new", [started()], meta=RunMeta(request_key="k")).committed()
    return str(caught.value)


async def test_what_waits_is_committed_in_order_once_there_is_space(journal: DuckDBJournal, path: Path) -> None:
    before = await journal.committed_state("r")
    with full_disk(log_of(path)):
        receipts = put_rest(journal)
        await refusal(journal)
        reader = asyncio.create_task(journal.tail("r", 1))
        waiting = [asyncio.create_task(receipt.committed()) for receipt in receipts]
        await asyncio.sleep(0.2)
        assert not any(task.done() for task in (reader, *waiting))
        assert (await journal.committed_state("r"), len(await journal.tail("r", 0))) == (before, 1)
        assert (await journal.query("SELECT max(seq) FROM events WHERE run_id = 'r'")).rows == ((1,),)
        assert journal.state("r").complete, "what is under way goes on in memory"
    await asyncio.gather(*waiting)
    assert [len(await reader) + 1, len(await journal.tail("r", 0))] == [journal.state("r").seq] * 2
    assert await journal.committed_state("r") == journal.state("r")
    await journal.aclose()
    on_disk = await JournalReader.open(path)
    assert await on_disk.state("r") == journal.state("r")
    assert [event.line() for receipt in receipts for event in receipt.events] == list(await on_disk.lines("r", 1))
    await on_disk.aclose()


async def test_a_new_run_is_refused_at_once_and_told_what_to_do(journal: DuckDBJournal, path: Path) -> None:
    with full_disk(log_of(path)):
        held = journal.put("r", [PlanProgress(phase="started")])
        for _ in range(3):
            said = await asyncio.wait_for(refusal(journal), 5)
            assert "file too large" in said
            assert "free space" in said
            assert said.endswith("then it resumes")
            assert str(path) in said
    await held.committed()
    await journal.put("new", [started()], meta=RunMeta(request_key="k")).committed()
    assert journal.find_by_key("k") == ("new", None)


async def test_a_refused_run_leaves_no_trace(journal: DuckDBJournal, path: Path) -> None:
    with full_disk(log_of(path)):
        receipts = [journal.put("new", [started()], meta=RunMeta(request_key="k"))]
        receipts += [journal.put("new", [PlanProgress(phase="started")])]
        for receipt in receipts:
            with pytest.raises(JournalError, match="then it resumes"):
                await receipt.committed()
        assert journal.find_by_key("k") is None
        assert "new" not in journal.open_runs()
        for lost in (journal.committed_state("new"), journal.tail("new", 0)):
            with pytest.raises(UnknownRun):
                await lost
    assert "new" not in {row.run_id for row in await journal.runs()}
    assert [event.seq for event in journal.put("new", [started()]).events] == [1]


async def test_new_runs_alone_do_not_keep_the_journal_from_trying(journal: DuckDBJournal, path: Path) -> None:
    """Nothing waits, so the next run finds out by itself whether there is space again."""
    with full_disk(log_of(path)):
        await refusal(journal)
    await journal.put("new", [started()]).committed()


async def test_a_key_sent_again_meanwhile_waits_for_the_first(journal: DuckDBJournal, path: Path) -> None:
    with full_disk(log_of(path)):
        first = journal.put("r", [planned(["a"])], key="plan")
        await refusal(journal)
        again = asyncio.create_task(journal.put("r", [planned(["a"])], key="plan").committed())
        await asyncio.sleep(0.1)
        assert not again.done()
    await asyncio.gather(again, first.committed())
    assert journal.state("r").seq == 2


async def test_what_waits_in_memory_is_bounded(
    journal: DuckDBJournal, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sequencer, "WAITING_BYTES", 50_000)
    long: list[Event] = [Warned(message="m" * 10_000, code="c")]
    with full_disk(log_of(path)):
        receipts = [journal.put("r", long)]
        await refusal(journal)
        receipts += [journal.put("r", long) for _ in range(4)]
        with pytest.raises(JournalError, match="then it resumes"):
            journal.put("r", long)
    await asyncio.gather(*(receipt.committed() for receipt in receipts))
    await journal.put("r", long).committed()
    assert journal.state("r").seq == len(await journal.tail("r", 0)) == len(receipts) + 2


async def test_closing_does_not_wait_for_space_and_keeps_what_was_acknowledged(
    journal: DuckDBJournal, path: Path
) -> None:
    with full_disk(log_of(path)):
        receipts = put_rest(journal)
        await refusal(journal)
        await asyncio.wait_for(journal.aclose(), 10)
        for receipt in receipts:
            with pytest.raises(JournalError, match="cannot be written"):
                await receipt.committed()
    again = await DuckDBJournal.open(path)
    assert again.state("r").seq == 1
    assert again.open_runs() == ("r",)
    await again.aclose()


async def with_small_log(journal: DuckDBJournal, path: Path) -> None:
    """The file is larger than the log, so that it alone cannot grow on a disk that is full at its size."""
    await journal._commits.checkpoint()
    await fill_log(journal, "later")
    assert log_of(path).stat().st_size < path.stat().st_size / 2


async def test_a_checkpoint_that_fails_ends_the_database_but_not_the_journal(
    journal: DuckDBJournal, path: Path
) -> None:
    """DuckDB gives the database up; it is opened anew at once, and readers hardly notice."""
    await with_small_log(journal, path)
    connection = journal._database._connection
    with full_disk(path):
        await journal._commits.checkpoint()
        assert journal._database._connection is not connection, "DuckDB had given it up"
        assert (await journal.query("SELECT count(*) FROM runs")).rows == ((11,),)
        assert len(await journal.tail("earlier0", 0)) == 14
        receipts = put_rest(journal)
        await asyncio.gather(*(receipt.committed() for receipt in receipts))  # the log has room
    assert (await journal.query("SELECT count(*) FROM events WHERE run_id = 'r'")).rows == ((journal.state("r").seq,),)
    await journal._commits.checkpoint()
    assert not log_of(path).exists()


async def test_a_query_that_runs_while_the_database_is_opened_anew_is_stopped(
    journal: DuckDBJournal, path: Path
) -> None:
    await with_small_log(journal, path)
    endless = asyncio.create_task(journal.query("SELECT count(*) FROM range(1000000000000)", timeout_s=60))
    await asyncio.sleep(0.1)
    with full_disk(path):
        await journal._commits.checkpoint()
        receipts = put_rest(journal)
        with pytest.raises(RequestError):
            await asyncio.wait_for(endless, 10)
    await asyncio.gather(*(receipt.committed() for receipt in receipts))
    assert (await journal.query("SELECT count(*) FROM runs")).rows == ((11,),)


async def test_a_batch_in_doubt_is_written_once(journal: DuckDBJournal) -> None:
    """When a commit ends with the database, only the database, opened anew, knows whether it was made."""
    writer, records = journal._commits._writer, journal._sequencer
    entries = [records.put("r", step.events, step.attempts, str(n), None)[2] for n, step in enumerate(STEPS[1:], 1)]
    batch = batch_of([entry for entry in entries if entry is not None])
    for _ in range(2):
        writer._in_doubt = True
        await asyncio.to_thread(writer.write, batch)
    (row,) = (await journal.query("SELECT count(*), max(seq) FROM events WHERE run_id = 'r'")).rows
    assert row == (journal.state("r").seq,) * 2
    assert (await journal.query("SELECT count(*) FROM attempts WHERE run_id = 'r'")).rows == ((2,),)


async def test_a_file_that_is_gone_ends_the_journal(journal: DuckDBJournal, path: Path) -> None:
    path.unlink()
    with pytest.raises(JournalError, match=r"nothing further is accepted: .* is gone$"):
        await journal.put("r", [PlanProgress(phase="started")]).committed()
    with pytest.raises(JournalError, match="gone"):
        journal.put("s", [started()])


async def test_a_call_that_ends_after_its_run_waits_too(journal: DuckDBJournal, path: Path) -> None:
    with full_disk(log_of(path)):
        held = journal.put("earlier0", attempts=[attempt("earlier0", "a", "late")])
        await refusal(journal)
    await held.committed()
    assert "late" in (await journal.committed_state("earlier0")).attempts
