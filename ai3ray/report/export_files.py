"""Write an export in the format of its suffix, completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import Attempt
from ai3ray.errors import UsageError
from ai3ray.report.run_history import RunHistory
from ai3ray.sql.statements import named_statements

if TYPE_CHECKING:
    from ai3ray.domain.result import TaskResult

Write = Callable[[RunHistory], None]
_CALLS = Path(__file__).with_name("calls.sql")


def writer_for(name: str) -> Write:
    """Return the function that writes this file.

    Raises:
        UsageError: the suffix is unknown, or the folder does not exist.
    """
    path = Path(name)
    writers: dict[str, Callable[[Path, RunHistory], None]] = {
        ".json": write_json,
        ".parquet": write_parquet,
        ".html": write_html,
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise UsageError(
            f"{name!r}: the file name must end in {', '.join(writers)}, which chooses the format", "--output"
        )
    if not path.parent.is_dir():
        raise UsageError(f"{name!r}: no folder {str(path.parent)!r}", "--output")
    return partial(write, path)


def write_json(path: Path, history: RunHistory) -> None:
    """Write the run's JSON with `events`, `attempts` and `decisions` added."""
    data = history.result.model_dump(mode="json")
    data["events"] = list(history.events)
    data["attempts"] = [attempt.model_dump(mode="json") for attempt in history.attempts]
    data["decisions"] = [decision.model_dump(mode="json") for decision in history.decisions]
    with _replacing(path) as draft:
        draft.write_text(f"{json.dumps(data, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def write_parquet(path: Path, history: RunHistory) -> None:
    """Write the run's model calls as Parquet, one row each, with the columns of `calls.sql`."""
    import duckdb

    tasks = {task.id: task for task in history.result.tasks}
    rows = [_call_row(call, tasks.get(call.task_id or "")) for call in history.attempts]
    statements = named_statements(_CALLS)
    with _replacing(path) as draft, duckdb.connect() as memory:
        memory.execute(statements["create_table"])
        for row in rows:
            insert = statements["insert_row"].format(columns=", ".join(row), places=", ".join("?" * len(row)))
            memory.execute(insert, list(row.values()))
        memory.table("calls").write_parquet(str(draft))


def _call_row(call: Attempt, task: TaskResult | None) -> dict[str, Any]:
    """Return one row; without a task, its columns are left out."""
    started_at = datetime.fromisoformat(call.started_at).replace(tzinfo=None) if call.started_at else None
    row = {**call.model_dump(), "started_at": started_at}
    if task is None:
        return row
    return row | {
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


def write_html(path: Path, history: RunHistory) -> None:
    """Write the run as one HTML page."""
    from ai3ray.report.page import page

    with _replacing(path) as draft:
        draft.write_text(page(history), encoding="utf-8", errors="replace")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a draft file that replaces `path` once it is complete."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
