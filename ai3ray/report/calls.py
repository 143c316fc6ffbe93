"""A run's model calls as Parquet, one row each, with their tasks."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import Attempt
from ai3ray.report.run_history import RunHistory

if TYPE_CHECKING:
    from ai3ray.domain.result import TaskResult

_SCHEMA = Path(__file__).with_name("calls.sql")


def write_calls(path: Path, history: RunHistory) -> None:
    """Write the file with the columns of `calls.sql`, even without calls."""
    import duckdb

    tasks = {task.id: task for task in history.result.tasks}
    rows = [call_row(call, tasks.get(call.task_id or "")) for call in history.attempts]
    with duckdb.connect() as memory:
        memory.execute(_SCHEMA.read_text(encoding="utf-8"))
        for row in rows:
            names, places = ", ".join(row), ", ".join("?" * len(row))
            memory.execute(f"INSERT INTO calls ({names}) VALUES ({places})", list(row.values()))  # noqa: S608 (our names)
        memory.table("calls").write_parquet(str(path))


def call_row(call: Attempt, task: TaskResult | None) -> dict[str, Any]:
    """Return one row by column."""
    return {**call.model_dump(), "started_at": _utc(call.started_at), **(_task_columns(task) if task else {})}


def _task_columns(task: TaskResult) -> dict[str, Any]:
    return {
        "task_title": task.title,
        "task_kind": task.kind,
        "task_status": task.status,
        "task_depends_on": list(task.depends_on),
        "task_cost_usd": task.cost_usd,
        "task_seconds": task.seconds,
        "task_passed": task.verdict.passed if task.verdict else None,
        "task_score": task.verdict.score if task.verdict else None,
        "task_output": task.output,
    }


def _utc(stamp: str) -> datetime | None:
    return datetime.fromisoformat(stamp).replace(tzinfo=None) if stamp else None
