"""Who may open the file, and what it says when it cannot be opened."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from ai3ray.errors import JournalError, JournalLocked, UnknownRun
from ai3ray.journal.reader import JournalReader
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import whole_run

HOLD = """
import asyncio, sys
from pathlib import Path
from ai3ray.journal.store import DuckDBJournal

async def main():
    journal = await DuckDBJournal.open(Path(sys.argv[1]))
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await journal.aclose()

asyncio.run(main())
"""


KILLED = """
import asyncio, os, sys
from pathlib import Path
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import whole_run

async def main():
    journal = await DuckDBJournal.open(Path(sys.argv[1]))
    for step in whole_run("r"):
        receipt = journal.put("r", step.events, step.attempts)
    await receipt.committed()
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """The journal is open in another process, until a line is written to it."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


async def write_run(path: Path) -> None:
    journal = await DuckDBJournal.open(path)
    for step in whole_run("r"):
        journal.put("r", step.events, step.attempts)
    await journal.aclose()


async def test_another_process_that_holds_the_journal_is_named(path: Path) -> None:
    with held(path) as process:
        for opening in (DuckDBJournal.open(path, open_wait_s=0.1), JournalReader.open(path)):
            with pytest.raises(JournalLocked, match=str(process.pid)) as caught:
                await opening
            assert caught.value.pid == process.pid


async def test_opening_waits_for_a_process_that_is_going(path: Path) -> None:
    with held(path) as process:
        opening = asyncio.create_task(DuckDBJournal.open(path, open_wait_s=30))
        done, _ = await asyncio.wait([opening], timeout=0.2)
        assert not done
        process.communicate("go\n")
        await (await opening).aclose()


async def test_one_process_opens_the_journal_once(path: Path) -> None:
    journal = await DuckDBJournal.open(path)
    for opening in (DuckDBJournal.open(path, open_wait_s=0), JournalReader.open(path)):
        with pytest.raises(JournalLocked) as caught:
            await opening
        assert caught.value.pid == os.getpid()
    await journal.aclose()
    await (await DuckDBJournal.open(path)).aclose()


async def test_the_home_is_made_and_private(path: Path) -> None:
    await (await DuckDBJournal.open(path)).aclose()
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_a_file_that_cannot_be_a_journal_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database" * 1000)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "text", tmp_path / "folder", tmp_path / "text" / "journal.duckdb"):
        with pytest.raises(JournalError) as caught:
            await DuckDBJournal.open(path)
        assert len(str(caught.value).splitlines()) == 1
        assert str(path).removesuffix("/journal.duckdb") in str(caught.value)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Not as root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_home_that_cannot_be_written_is_refused_with_a_remedy_and_can_be_read(home_folder: Path) -> None:
    path = home_folder / "journal.duckdb"
    await write_run(path)
    await looks_right(path)  # who is not root may not find the modules that this imports
    home_folder.chmod(0o555)
    path.chmod(0o444)
    try:
        with unprivileged():
            for refused in (path, home_folder / "new" / "journal.duckdb"):
                with pytest.raises(JournalError) as caught:
                    await DuckDBJournal.open(refused)
                assert str(refused) in str(caught.value)
                assert "Permission denied" in str(caught.value)
                assert str(caught.value).endswith("or set AI3_HOME to a folder that is")
            await looks_right(path)
    finally:
        home_folder.chmod(0o755)


async def looks_right(path: Path) -> None:
    """A reader sees the one run."""
    reader = await JournalReader.open(path)
    assert [row.run_id for row in await reader.runs()] == ["r"]
    assert (await reader.result("r")).status == "succeeded"
    assert (await reader.query("SELECT count(*) FROM model_stats")).rows == ((1,),)
    await reader.aclose()


def test_a_journal_that_was_killed_can_be_read_where_nothing_can_be_written(home_folder: Path) -> None:
    """What is only in the log is shown, and the log is left as it is."""
    path = home_folder / "journal.duckdb"
    command = [sys.executable, "-c", KILLED, str(path)]
    subprocess.run(command, check=False)
    log = path.with_name("journal.duckdb.wal")
    before = log.read_bytes()
    asyncio.run(looks_right(path))
    home_folder.chmod(0o555)
    for file in (path, log):
        file.chmod(0o444)
    try:
        with unprivileged():
            asyncio.run(looks_right(path))
    finally:
        home_folder.chmod(0o755)
    assert log.read_bytes() == before


async def test_a_journal_of_a_newer_version_is_refused(path: Path) -> None:
    await write_run(path)
    with duckdb.connect(path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999, NULL)")
    for opening in (DuckDBJournal.open(path), JournalReader.open(path)):
        with pytest.raises(JournalError, match="newer ai3ray"):
            await opening


async def test_opening_again_keeps_the_schemas_version(path: Path) -> None:
    await write_run(path)
    journal = await DuckDBJournal.open(path)
    assert (await journal.query("SELECT version FROM schema_version")).rows == ((1,), (2,))
    await journal.aclose()


async def test_a_reader_shows_what_the_writer_left(path: Path) -> None:
    await write_run(path)
    one, two = await JournalReader.open(path), await JournalReader.open(path)
    assert [row.run_id for row in await one.runs()] == ["r"]
    result = await two.result("r")
    assert (result.status, result.output, result.stats.cost_usd) == ("succeeded", "hello", 0.5)
    lines = await one.lines("r")
    assert list(await two.lines("r", 3)) == list(lines[3:])
    assert (await one.query("SELECT count(*) FROM events")).rows == ((len(lines),),)
    for missing in (one.state("nowhere"), one.lines("nowhere")):
        with pytest.raises(UnknownRun):
            await missing
    await one.aclose()
    await two.aclose()


async def test_a_home_without_a_journal_reads_as_an_empty_one(path: Path) -> None:
    reader = await JournalReader.open(path)
    assert await reader.runs() == []
    assert (await reader.query("SELECT * FROM run_summary")).rows == ()
    await reader.aclose()
    assert not path.parent.exists()
