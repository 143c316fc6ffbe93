"""docs/sql.md is true: it explains every column, and its queries answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import AssembleStart, Final, PlanProgress, TaskRetry, TaskStart, TaskVerified
from ai3ray.domain.listings import Table
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import ENDED, answered, attempt, started

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
INTERNAL = {"schema_version", "verdicts"}
"""Tables that are nobody else's business, beside the schema `kept`."""
CONTRACT_QUERIES = 10

PLAN = {
    "tasks": [
        {"id": "facts", "prompt": "p", "kind": "analysis"},
        {"id": "short", "prompt": "p", "kind": "writing", "depends_on": ["facts"]},
        {"id": "long", "prompt": "p", "kind": "writing", "depends_on": ["facts"]},
        {"id": "end", "prompt": "p", "kind": "writing", "depends_on": ["short", "long"]},
    ],
    "assembly": "last",
}
LATE = ErrorInfo(type="timeout", message="too slow")
POOR = Verdict(passed=False, score=0.25, defects=(Defect(part="answer", problem="short"),), by="acme/judge")
GOOD = Verdict(passed=True, score=0.75, by="acme/judge")


class Clock:
    """Ten seconds a step, so that tasks take time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 10
        return self.seconds


def queries() -> list[str]:
    """Return every ```sql block of the page."""
    return re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
async def recorded(path: Path) -> Any:
    """A diamond whose `long` was saved by another model, and whose `end` was repaired."""
    journal = await DuckDBJournal.open(path, clock=lambda: "2026-11-22T10:00:00.000Z", monotonic=Clock())
    run = "run_b"
    journal.put("run_a", [started()])
    journal.put(run, [started()], [attempt(run, None, "plan", role="plan")])
    journal.put(run, [PlanProgress(phase="completed", plan=PLAN, source="model")])
    for task_id in ("facts", "short"):
        journal.put(run, [TaskStart(task_id=task_id, attempt_id=task_id, model="acme/large")])
        journal.put(run, [answered(task_id, task_id)], [attempt(run, task_id, task_id)])
    journal.put(
        run,
        [
            TaskStart(task_id="long", attempt_id="long1", model="slow/one"),
            TaskRetry(task_id="long", error=LATE, wait_s=0, next_model="acme/large"),
        ],
        [failed_call(run)],
    )
    journal.put(run, [TaskStart(task_id="long", attempt_id="long2", model="acme/large")])
    journal.put(run, [answered("long", "long")], [attempt(run, "long", "long2")])
    journal.put(run, [TaskStart(task_id="end", attempt_id="end1", model="acme/large")], [attempt(run, "end", "end1")])
    judge = {"role": "judge", "model": "acme/judge", "cost_usd": 0.01}
    journal.put(run, [TaskVerified(task_id="end", verdict=POOR)], [attempt(run, "end", "judge1", **judge)])
    repair, again = attempt(run, "end", "end2", role="repair"), attempt(run, "end", "judge2", **judge)
    journal.put(run, [TaskVerified(task_id="end", verdict=GOOD), answered("end", "end")], [repair, again])
    journal.put(run, [AssembleStart(assembly="last", holes=()), Final(status="succeeded", output="end")])
    await journal.put(run, [ENDED]).committed()
    yield journal
    await journal.aclose()


def failed_call(run: str) -> Any:
    return attempt(
        run, "long", "long1", "failed", provider="slow", model="slow/one", error_type="timeout", maybe_paid=True
    )


def rows(table: Table) -> Sequence[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


async def test_every_query_of_the_readme_answers(recorded: DuckDBJournal) -> None:
    for query in queries():
        assert (await recorded.query(query)).rows, query
    assert len(queries()) >= CONTRACT_QUERIES


async def test_every_column_is_explained_and_every_explained_one_is_there(recorded: DuckDBJournal) -> None:
    columns = await recorded.query(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND schema_name = 'main'"
    )
    for row in rows(columns):
        if row["table_name"] not in INTERNAL:
            explained = re.search(rf"^\| `{row['table_name']}`.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
            assert explained, row["table_name"]
            assert f"`{row['column_name']}`" in explained[0], row


async def answer_to(journal: DuckDBJournal, words: str) -> Sequence[dict[str, Any]]:
    """What the first query of the page that holds these words answers; nothing when there is none."""
    found = [query for query in queries() if words in query]
    return rows(await journal.query(found[0])) if found else []


async def test_the_answers_are_right(recorded: DuckDBJournal) -> None:
    (saved,) = await answer_to(recorded, "saved_by")
    assert saved == {
        "run_id": "run_b",
        "task_id": "long",
        "failed": "slow/one",
        "error_type": "timeout",
        "saved_by": "acme/large",
    }
    path = [(row["task_id"], row["seconds"]) for row in await answer_to(recorded, "WITH RECURSIVE")]
    assert path == [("facts", 10.0), ("long", 20.0), ("end", 20.0)]
    rates = {row["kind"]: row["repair_rate"] for row in await answer_to(recorded, "repair_rate")}
    assert rates == {"writing": pytest.approx(1 / 3), "analysis": 0.0}
    (judge,) = await answer_to(recorded, "verifier_stats")
    assert (judge["verifier"], judge["checks"], judge["pass_rate"], judge["cost_usd"]) == ("acme/judge", 2, 0.5, 0.02)
    (paid,) = await answer_to(recorded, "WHERE maybe_paid")
    assert (paid["model"], paid["status"]) == ("slow/one", "failed")
    dearest = (await answer_to(recorded, "FROM run_summary"))[0]
    assert (dearest["run_id"], dearest["calls"], dearest["cost_usd"]) == ("run_b", 9, pytest.approx(1.52))
    spent = await answer_to(recorded, "AS day")
    assert {row["model"]: row["calls"] for row in spent} == {"acme/large": 6, "acme/judge": 2, "slow/one": 1}
    errors = await answer_to(recorded, "GROUP BY provider, error_type")
    assert [(row["provider"], row["error_type"], row["calls"]) for row in errors] == [("slow", "timeout", 1)]
    slowest = (await answer_to(recorded, "FROM tasks ORDER BY"))[:2]
    assert {row["task_id"]: row["seconds"] for row in slowest} == {"long": 20.0, "end": 20.0}
    slow = {row["provider"]: row["p95_s"] for row in await answer_to(recorded, "FROM provider_stats")}
    assert slow == {"acme": pytest.approx(1.5), "slow": None}
