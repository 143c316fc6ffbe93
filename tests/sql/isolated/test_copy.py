"""Copies of the journal: the same rows, only the owner's, brought up to date by what has changed."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest

from ai3ray.journal.port import RunMeta
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.isolated.copy import TABLES, CopyStopped, CopyWriter
from tests.journal.histories import Step, whole_run

OWNERS = ("", "alice", "bob")
VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"


class Busy:
    """Runs of several owners, of which some step goes on at every turn."""

    def __init__(self, journal: DuckDBJournal, seed: int) -> None:
        self._journal = journal
        self._random = random.Random(seed)
        self._going: dict[str, list[Step]] = {}
        self._runs = 0

    async def turn(self, steps: int) -> list[str]:
        """Some steps of some runs, new ones among them; returns the runs."""
        touched = []
        for _ in range(steps):
            run_id = self._begin() if self._random.random() < 0.3 or not self._going else self._any()
            step = self._going[run_id].pop(0)
            owner = OWNERS[int(run_id.partition("_")[2]) % len(OWNERS)]
            receipt = self._journal.put(run_id, step.events, step.attempts, meta=RunMeta(owner=owner))
            touched.append(run_id)
            if not self._going[run_id]:
                del self._going[run_id]
        await receipt.committed()
        return sorted(set(touched))

    def _begin(self) -> str:
        run_id = f"run_{self._runs}"
        self._runs += 1
        self._going[run_id] = list(whole_run(run_id, ["a", "b", "c"]))
        return run_id

    def _any(self) -> str:
        return self._random.choice(list(self._going))


def rows(connection: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> list[tuple[object, ...]]:
    return sorted(connection.execute(f"SELECT * FROM {table} WHERE {where}").fetchall(), key=repr)


def assert_same(journal: DuckDBJournal, copy: Path, owner: str | None) -> None:
    """The copy holds what the owner has in the journal, in every table and view."""
    theirs = "true" if owner is None else f"run_id IN (SELECT run_id FROM runs WHERE owner = '{owner}')"
    with journal._database.cursor() as source, duckdb.connect(copy, read_only=True) as target:
        for table in TABLES:
            assert rows(target, table) == rows(source, table, theirs), table
        names = {*target.execute(VIEWS).fetchall(), *((table,) for table in TABLES)}
        assert names == set(source.execute(VIEWS).fetchall())
        if owner is None:
            for (view,) in source.execute(VIEWS).fetchall():
                assert rows(target, view) == rows(source, view), view


@pytest.mark.parametrize("owner", [None, "alice"])
async def test_a_copy_brought_up_to_date_is_the_journal(disk: DuckDBJournal, tmp_path: Path, owner: str | None) -> None:
    writer, busy, copy = CopyWriter(disk._database), Busy(disk, seed=7), tmp_path / "copy" / "journal.duckdb"
    await busy.turn(40)
    writer.create(copy, owner)
    assert_same(disk, copy, owner)
    for _ in range(4):
        writer.update(copy, owner, await busy.turn(25))
        assert_same(disk, copy, owner)


async def test_an_owner_finds_no_trace_of_another(disk: DuckDBJournal, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "journal.duckdb"
    await Busy(disk, seed=3).turn(60)
    CopyWriter(disk._database).create(copy, "alice")
    with duckdb.connect(copy, read_only=True) as target:
        assert {owner for _, _, _, owner, *_ in rows(target, "runs")} == {"alice"}
        shown = {str(row) for table in TABLES for row in rows(target, table)}
    assert not any("run_0" in row or "run_2" in row for row in shown)
    assert b"bob" not in copy.read_bytes()


async def test_a_run_that_changes_its_owner_leaves_the_copy(disk: DuckDBJournal, tmp_path: Path) -> None:
    writer, copy = CopyWriter(disk._database), tmp_path / "copy" / "journal.duckdb"
    first, *_ = whole_run("r")
    await disk.put("r", first.events, meta=RunMeta(owner="alice")).committed()
    writer.create(copy, "alice")
    await disk.put("r", meta=RunMeta(owner="bob", epoch=2)).committed()
    writer.update(copy, "alice", ["r"])
    assert_same(disk, copy, "alice")


async def test_a_copy_is_for_its_owner_s_eyes_and_leaves_no_log_beside_it(disk: DuckDBJournal, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "journal.duckdb"
    CopyWriter(disk._database).create(copy, None)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in copy.parent.iterdir()] == ["journal.duckdb"]


async def test_what_is_internal_is_not_copied(disk: DuckDBJournal, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "journal.duckdb"
    await disk.put("r", next(whole_run("r")).events, key="secret").committed()
    CopyWriter(disk._database).create(copy, None)
    with duckdb.connect(copy, read_only=True) as target:
        tables = target.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_name").fetchall()
    assert [name for (name,) in tables] == sorted(TABLES)


async def test_a_writer_that_was_stopped_writes_no_more(disk: DuckDBJournal, tmp_path: Path) -> None:
    writer = CopyWriter(disk._database)
    writer.stop()
    with pytest.raises(CopyStopped):
        writer.create(tmp_path / "copy" / "journal.duckdb", None)
