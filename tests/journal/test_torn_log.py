"""A log whose end was lost with the power: it opens, and only the end is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ai3ray.domain.events import parse_event
from ai3ray.domain.run import fold
from ai3ray.journal.store import DuckDBJournal
from tests.journal.full_disk import log_of
from tests.journal.histories import whole_run

RUNS = [f"r{number}" for number in range(4)]
Lines = dict[str, list[str]]


def leave_behind(path: Path, to: Path, cut: int = 0) -> Path:
    """The files as a kill leaves them, with the last bytes of the log missing."""
    to.mkdir()
    copy = to / path.name
    shutil.copy(path, copy)
    shutil.copy(log_of(path), log_of(copy))
    with log_of(copy).open("r+b") as log:
        log.truncate(log_of(copy).stat().st_size - cut)
    return copy


async def put_runs(journal: DuckDBJournal) -> Lines:
    """Runs, step by step beside each other; every step is a commit."""
    for steps in zip(*(whole_run(run_id) for run_id in RUNS), strict=True):
        for run_id, step in zip(RUNS, steps, strict=True):
            await journal.put(run_id, step.events, step.attempts).committed()
    return {run_id: list(await journal.tail(run_id, 0)) for run_id in RUNS}


@pytest.fixture
async def written(path: Path, tmp_path: Path) -> tuple[Path, Lines]:
    """A journal whose writer was killed: half of it in the file, half in the log."""
    journal = await DuckDBJournal.open(path)
    for step in whole_run("early"):
        journal.put("early", step.events, step.attempts)
    await journal.put("early").committed()
    early = list(await journal.tail("early", 0))
    await journal._commits.checkpoint()
    lines = await put_runs(journal)
    killed = leave_behind(path, tmp_path / "killed")
    await journal.aclose()
    return killed, {"early": early, **lines}


async def check(journal: DuckDBJournal, lines: Lines) -> int:
    """What is there is a beginning of every run, without gaps, and all tables tell the same. Gives the events lost."""
    lost = 0
    for run_id, complete in lines.items():
        table = await journal.query(f"SELECT seq FROM events WHERE run_id = '{run_id}' ORDER BY seq")
        count = len(table.rows)
        assert [seq for (seq,) in table.rows] == list(range(1, count + 1))
        lost += len(complete) - count
        if not count:
            continue
        state = journal.state(run_id)
        kept = complete[:count]
        assert fold(map(parse_event, kept), state.attempts.values()) == state
        assert list(await journal.tail(run_id, 0)) == kept
        rows = await journal.query(f"SELECT task_id, status, artifact FROM tasks WHERE run_id = '{run_id}'")
        assert sorted(rows.rows) == sorted((task.id, task.status, task.artifact) for task in state.tasks.values())
        (run,) = (await journal.query(f"SELECT status, complete FROM runs WHERE run_id = '{run_id}'")).rows
        assert run == (state.status, state.complete)
    return lost


@pytest.mark.parametrize("cut", [1, 8, 300, 20_000])
async def test_a_torn_end_costs_the_end_only_and_the_journal_goes_on(
    written: tuple[Path, Lines], tmp_path: Path, cut: int
) -> None:
    killed, lines = written
    torn = leave_behind(killed, tmp_path / "torn", cut)
    journal = await DuckDBJournal.open(torn)
    lost = await check(journal, lines)
    assert 0 < lost < sum(map(len, lines.values())) - len(lines["early"])
    again = {run_id: list(whole_run(run_id)) for run_id in ("later0", "later1")}
    for run_id, steps in again.items():
        for step in steps:
            receipt = journal.put(run_id, step.events, step.attempts)
        await receipt.committed()
    later = {run_id: list(await journal.tail(run_id, 0)) for run_id in again}
    killed_again = leave_behind(torn, tmp_path / "killed again")
    await journal.aclose()
    journal = await DuckDBJournal.open(killed_again)
    assert await check(journal, lines | later) == lost, "what was acknowledged after the tear is there"
    await journal.aclose()


async def test_the_more_is_cut_off_the_more_is_lost_and_never_anything_before_it(
    written: tuple[Path, Lines], tmp_path: Path
) -> None:
    killed, lines = written
    size = log_of(killed).stat().st_size
    losses = []
    for cut in range(0, size, size // 6):
        journal = await DuckDBJournal.open(leave_behind(killed, tmp_path / str(cut), cut))
        losses.append(await check(journal, lines))
        await journal.aclose()
    assert losses == sorted(losses)
    assert losses[0] == 0
    assert len(set(losses)) == len(losses)
