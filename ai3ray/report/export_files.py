"""Writes an export in the format of its suffix, completely or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ai3ray.errors import UsageError
from ai3ray.report.run_history import RunHistory

Write = Callable[[RunHistory], None]


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
        raise UsageError(f"{name!r} does not end in {', '.join(writers)}, which says what to write", "--output")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {str(path.parent)!r} to write to", "--output")
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
    """Write the run's model calls as Parquet."""
    from ai3ray.report.calls import write_calls

    with _replacing(path) as draft:
        write_calls(draft, history)


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
