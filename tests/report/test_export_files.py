"""What is written, and what is left when it cannot be."""

import json
from datetime import datetime

import duckdb
import pytest

from ai3ray.domain.listings import RunRow, Table
from ai3ray.errors import UsageError
from ai3ray.report import run_history as recording
from ai3ray.report.export_files import writer_for
from ai3ray.report.run_history import read_history
from tests.cli.recorded import EVENTS, RUN, run_result
from tests.report.samples import CALLS, record


@pytest.mark.parametrize("name", ["run.pdf", "run", "-", ".json/run", "x.json.gz"])
def test_an_unknown_suffix_is_refused_with_those_there_are(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.json, \.parquet, \.html"):
        writer_for(str(tmp_path / name))


def test_a_folder_that_is_not_there_is_refused_before_anything_is_asked(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        writer_for(str(tmp_path / "nowhere" / "run.json"))


def test_json_is_the_runs_json_with_its_history_beside_it(tmp_path):
    path = tmp_path / "run.json"
    writer_for(str(path))(record())
    data = json.loads(path.read_text())
    history = {name: data.pop(name) for name in ("events", "attempts", "decisions")}
    assert data == json.loads(run_result().model_dump_json())
    assert history["events"] == [json.loads(event.line()) for event in EVENTS]
    assert [call["attempt_id"] for call in history["attempts"]] == [call.attempt_id for call in CALLS]
    assert [decision["model"] for decision in history["decisions"]] == ["sim/fast"]


def test_parquet_is_a_row_per_call_with_its_task(tmp_path):
    path = tmp_path / "calls.PARQUET"
    writer_for(str(path))(record())
    rows = duckdb.read_parquet(str(path)).order("attempt_id")
    calls = [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
    assert [call["attempt_id"] for call in calls] == [call.attempt_id for call in CALLS]
    planner, first = calls[:2]
    assert (planner["task_id"], planner["task_title"], planner["cost_usd"]) == (None, None, 0.5)
    assert (first["task_title"], first["task_status"], first["task_passed"]) == ("Write the intro", "succeeded", False)
    assert first["started_at"] == datetime.fromisoformat("2026-11-23T10:00:02.500")
    assert calls[2]["cost_usd"] is None
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    assert (types["task_depends_on"], types["started_at"], types["maybe_paid"]) == ("VARCHAR[]", "TIMESTAMP", "BOOLEAN")


def test_parquet_of_a_run_without_calls_has_its_columns(tmp_path):
    path = tmp_path / "calls.parquet"
    writer_for(str(path))(record(attempts=[]))
    empty = duckdb.read_parquet(str(path))
    assert (len(empty.columns), empty.fetchall()) == (28, [])


def test_what_fails_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("before")
    with pytest.raises(TypeError):
        writer_for(str(path))(record(events=[{"type": "plan", "body": object()}]))
    assert (path.read_text(), [entry.name for entry in tmp_path.iterdir()]) == ("before", ["run.json"])


class Shelf:
    """A reader whose run has more events than one answer brings."""

    def __init__(self):
        self.asked = 0

    async def runs(self, limit=50, before=None):
        return [RunRow(run_id=RUN, status="partial", prompt="p", started_at="t", seconds=1.0, cost_usd=0.0)]

    async def result(self, run_id):
        return run_result()

    async def sql(self, query, max_rows=10_000):
        if "FROM attempts" in query:
            rows = [tuple(call.model_dump().values()) for call in CALLS]
            return Table(columns=tuple(CALLS[0].model_dump()), rows=tuple(rows))
        self.asked += 1
        after = int(query.split("seq > ")[1].split()[0])
        rows = [(event.seq, json.loads(event.line())) for event in EVENTS if event.seq > after]
        return Table(columns=("seq", "body"), rows=tuple(rows[:max_rows]))


async def test_a_long_history_is_read_to_its_end(monkeypatch):
    shelf = Shelf()
    monkeypatch.setattr(recording, "PAGE", 5)
    read = await read_history(shelf, RUN)
    assert [event["seq"] for event in read.events] == [event.seq for event in EVENTS]
    assert (shelf.asked, list(read.attempts)) == (4, list(CALLS))
    assert (read.plan["assembly"], read.started_at) == ("concat", EVENTS[0].ts)
