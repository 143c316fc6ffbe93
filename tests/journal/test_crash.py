"""What survives a writer that is killed, or a disk that is full."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from ai3ray.domain.events import parse_event
from ai3ray.domain.run import fold
from ai3ray.journal.reader import JournalReader
from ai3ray.journal.store import DuckDBJournal

WRITE = """
import asyncio, itertools, resource, sys
from pathlib import Path
from ai3ray.errors import JournalError
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import started, whole_run

async def write(journal, run_id):
    for number, step in enumerate(whole_run(run_id, ["a", "b", "c"])):
        receipt = journal.put(run_id, step.events, step.attempts, key=str(number))
        await receipt.committed()
        print(run_id, journal.state(run_id).seq if not receipt.events else receipt.events[-1].seq, flush=True)

async def relieve(journal, hard):
    for number in itertools.count():
        try:
            await journal.put(f"probe{number}", [started()]).committed()
        except JournalError as error:
            print("full", str(error).replace(" ", "_"), flush=True)
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(float(sys.argv[3]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print("space", 0, flush=True)

async def write_rounds(journal, rounds):
    for round in rounds:
        try:
            await asyncio.gather(*(write(journal, f"r{round}.{n}") for n in range(5)))
        except JournalError:
            await asyncio.sleep(0.1)

async def main():
    journal = await DuckDBJournal.open(Path(sys.argv[1]))
    if not (limit := int(sys.argv[2])):
        await write_rounds(journal, itertools.count())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    before = asyncio.create_task(write_rounds(journal, itertools.count()))
    await relieve(journal, hard)
    while True:
        try:
            await write(journal, "rafter")
            break
        except JournalError:  # until the next try to commit
            await asyncio.sleep(0.1)
    before.cancel()
    await asyncio.gather(before, return_exceptions=True)
    await journal.aclose()

asyncio.run(main())
"""


def acknowledged(lines: list[str]) -> dict[str, int]:
    """The last acknowledged seq by run."""
    return {run_id: int(seq) for run_id, seq in (line.split() for line in lines if line.startswith("r"))}


async def holds_all(path: Path, acks: dict[str, int]) -> None:
    """Everything acknowledged is there, nothing is torn, and the journal goes on."""
    reader = await JournalReader.open(path)
    for run_id, seq in acks.items():
        lines = await reader.lines(run_id)
        assert len(lines) >= seq
        state = await reader.state(run_id)
        assert fold(map(parse_event, lines), state.attempts.values()) == state
        succeeded = sum(task.status == "succeeded" for task in state.tasks.values())
        query = f"SELECT count(*) FROM artifacts WHERE run_id = '{run_id}'"
        assert (await reader.query(query)).rows == ((succeeded,),)
    await reader.aclose()
    journal = await DuckDBJournal.open(path)
    known = {row.run_id for row in await journal.runs(limit=10_000)}
    assert acks.keys() <= known
    assert set(journal.open_runs()) == {run_id for run_id in known if not journal.state(run_id).complete}
    await journal.aclose()


def test_all_that_was_acknowledged_survives_a_kill(path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(path), "0", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(150)]
        process.kill()
        lines += process.stdout.readlines()
    asyncio.run(holds_all(path, acknowledged([line for line in lines if line.endswith("\n")])))


def test_a_full_disk_loses_nothing_that_was_acknowledged(path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(path), "400000", "0.5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    lines = done.stdout.splitlines()
    full, space = (next(n for n, line in enumerate(lines) if line.startswith(word)) for word in ("full", "space"))
    assert "file_too_large" in lines[full]
    assert full < space
    assert acknowledged(lines[:full])
    assert not acknowledged(lines[full + 1 : space]), "nothing is acknowledged while the disk takes nothing"
    assert "rafter" in acknowledged(lines[space:])
    asyncio.run(holds_all(path, acknowledged(lines)))


def test_all_that_was_acknowledged_survives_a_kill_while_the_disk_is_full(path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(path), "400000", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("full"):
            lines.append(process.stdout.readline())
        process.kill()
        lines += process.stdout.readlines()
    asyncio.run(holds_all(path, acknowledged(lines)))
