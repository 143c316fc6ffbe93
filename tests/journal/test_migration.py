"""A journal of an earlier version opens, is brought up to date, and has lost nothing."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ai3ray.domain.events import RunStart
from ai3ray.domain.run import RunState
from ai3ray.errors import JournalError
from ai3ray.journal import connection, writer
from ai3ray.journal.migration import migrations
from ai3ray.journal.port import RunMeta
from ai3ray.journal.reader import JournalReader
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.journal_views import views
from tests.journal.histories import attempt, whole_run

TABLES = ("runs", "tasks", "attempts", "decisions", "events", "artifacts")
PROMPT = 'quotes " \\ newline \n tab \t nul \x00 \u2028 emoji 🦆 {"a" :  1.0}'
Rows = dict[str, list[tuple[object, ...]]]


@pytest.fixture
async def version_1(path: Path, tmp_path: Path) -> Path:
    """A file of version 1 with a finished run and two that are open."""
    journal = await DuckDBJournal.open(tmp_path / "source.duckdb")
    for run_id, steps in (("done", list(whole_run("done"))), ("open", list(whole_run("open"))[:4])):
        for number, step in enumerate(steps):
            meta = RunMeta(owner="ann", request_key=run_id, request_hash="h", epoch=2)
            journal.put(run_id, step.events, step.attempts, key=f"k{number}", meta=meta)
    journal.put("odd", [RunStart(request={"prompt": PROMPT, "n": [1.0, 1e300, None]})])
    await journal.put("odd", [], [attempt("odd", None, "plan", role="plan", cost_usd=None)]).committed()
    await journal.aclose()
    path.parent.mkdir()
    with duckdb.connect(path) as old:
        old.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP)")
        old.execute(migrations()[0])
        old.execute("INSERT INTO schema_version VALUES (1, now()::TIMESTAMP)")
        old.execute(f"ATTACH '{tmp_path / 'source.duckdb'}' AS source (READ_ONLY)")
        for table in TABLES:
            old.execute(f"INSERT INTO {table} FROM source.{table}")
        old.execute("INSERT INTO puts FROM source.kept.puts")
        old.execute("CREATE VIEW model_stats AS SELECT 1 AS old")
    return path


def rows(path: Path) -> Rows:
    """Every row that the contract promises."""
    with duckdb.connect(path, read_only=True) as file:
        return {table: sorted(file.execute(f"FROM {table}").fetchall(), key=repr) for table in TABLES}


async def read(path: Path) -> dict[str, tuple[RunState, list[str]]]:
    reader = await JournalReader.open(path)
    runs = {
        row.run_id: (await reader.state(row.run_id), list(await reader.lines(row.run_id)))
        for row in await reader.runs()
    }
    await reader.aclose()
    return runs


async def test_a_journal_of_version_1_is_brought_up_to_date_and_reads_as_before(
    version_1: Path, tmp_path: Path
) -> None:
    before, source = rows(version_1), await read(tmp_path / "source.duckdb")
    journal = await DuckDBJournal.open(version_1)
    assert (await journal.query("SELECT version FROM schema_version")).rows == ((1,), (2,))
    assert list(journal.open_runs()) == ["open", "odd"]
    assert [row.run_id for row in await journal.runs()] == ["odd", "open", "done"]
    assert journal.find_by_key("done") == ("done", "h")
    for run_id, (state, lines) in source.items():
        assert list(await journal.tail(run_id, 0)) == lines
        assert journal.state(run_id) == state
    verdicts = await journal.query("SELECT model, kind, passed FROM verdicts")
    assert verdicts.rows == (("acme/large", "writing", True),) * 2
    await journal.aclose()
    assert rows(version_1) == before
    assert await read(version_1) == source


async def test_a_run_of_version_1_goes_on(version_1: Path) -> None:
    journal = await DuckDBJournal.open(version_1)
    before = journal.state("open")
    steps = list(whole_run("open"))
    again = journal.put("open", steps[3].events, steps[3].attempts, key="k3")
    assert journal.state("open") == before, "its keys are known"
    assert [event.seq for event in again.events] == list(range(before.seq - len(again.events) + 1, before.seq + 1))
    for step in steps[4:]:
        receipt = journal.put("open", step.events, step.attempts)
    await receipt.committed()
    await journal.aclose()
    state, _ = (await read(version_1))["open"]
    assert (state.status, state.complete, state.request) == ("succeeded", True, before.request)


async def test_a_reader_does_not_bring_a_file_up_to_date_and_says_who_does(version_1: Path) -> None:
    before = rows(version_1)
    with pytest.raises(JournalError, match="ai3 up"):
        await JournalReader.open(version_1)
    assert rows(version_1) == before


async def test_a_migration_that_fails_leaves_the_file_as_it_was(
    version_1: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(version_1)
    first, second = migrations()
    with monkeypatch.context() as broken:
        broken.setattr("ai3ray.journal.migration.migrations", lambda: (first, f"{second}; DROP TABLE nowhere"))
        with pytest.raises(JournalError, match="nowhere"):
            await DuckDBJournal.open(version_1)
    assert rows(version_1) == before
    await (await DuckDBJournal.open(version_1)).aclose()
    assert rows(version_1) == before


async def test_a_file_that_is_up_to_date_is_opened_without_a_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it can be opened on a disk that is full. Other views are a reason to write."""
    await (await DuckDBJournal.open(path)).aclose()

    def opened() -> bytes:
        """What opening it has left in the log."""
        connection.open_database(path).cursor().execute("SELECT 1")
        log = path.with_name(f"{path.name}.wal")
        return log.read_bytes() if log.exists() else b""

    assert opened() == b""
    monkeypatch.setattr("ai3ray.journal.migration.views", lambda: views().replace("AS cost_per_1k_tokens", "AS asked"))
    journal = await DuckDBJournal.open(path)
    assert "asked" in (await journal.query("SELECT * FROM model_stats")).columns
    await journal.aclose()


async def test_many_small_checkpoints_do_not_leave_the_file_in_pieces(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "_MAX_PIECES", 3)
    for number in range(6):
        journal = await DuckDBJournal.open(path)
        for step in whole_run(f"r{number}"):
            receipt = journal.put(f"r{number}", step.events, step.attempts)
        await receipt.committed()
        await journal.aclose()
    with duckdb.connect(path, read_only=True) as file:
        pieces = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('kept.history')"
        assert file.execute(pieces).fetchall() <= [(3,)]
    runs = await read(path)
    assert list(runs) == [f"r{number}" for number in reversed(range(6))]
    assert all(state.complete and len(lines) == state.seq for state, lines in runs.values())
