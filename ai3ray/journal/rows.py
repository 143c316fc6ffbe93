"""From entries to table rows: pure, so that what SQL shows is what the fold says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Candidate, Decision, Event, TaskArtifact
from ai3ray.domain.result import known_cost, task_cost
from ai3ray.domain.run import RunState, TaskState, seconds_between
from ai3ray.journal.artifacts import media_type
from ai3ray.journal.sequencer import Entry, Snapshot

Row = dict[str, Any]
Rows = dict[str, list[Row]]

KEYS: dict[str, tuple[str, ...]] = {
    "runs": ("run_id",),
    "tasks": ("run_id", "task_id"),
    "attempts": ("run_id", "attempt_id"),
}
"""The tables whose rows change, and what names a row."""


class Batch(NamedTuple):
    """What one transaction writes, by table; every list has a row."""

    new: Rows
    """Rows that were not there before."""
    changed: Rows
    """Rows that replace the ones of the same key."""


_CANDIDATES: TypeAdapter[tuple[Candidate, ...]] = TypeAdapter(tuple[Candidate, ...])
_BIGINT_MAX = (1 << 63) - 1


def batch_of(entries: Iterable[Entry]) -> Batch:
    """The rows that bring the tables up to these entries, one per touched row however many entries touched it."""
    by_run: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_run[entry.after.state.run_id].append(entry)
    batch = Batch(new=defaultdict(list), changed=defaultdict(list))
    for run_entries in by_run.values():
        _add_history(batch.new, run_entries)
        _add_changes(batch, run_entries[0].before, run_entries[-1].after)
    return batch


def _add_history(rows: Rows, entries: Sequence[Entry]) -> None:
    for entry in entries:
        for event, line in zip(entry.events, entry.lines, strict=True):
            rows["events"].append(_event_row(event, line))
            if isinstance(event, Decision):
                rows["decisions"].append(_decision_row(event))
            elif isinstance(event, TaskArtifact):
                rows["artifacts"].append(_artifact_row(event, entry.after.state))
        if entry.key is not None:
            run_id, (first, last) = entry.after.state.run_id, entry.span
            rows["puts"].append({"run_id": run_id, "key": entry.key, "first_seq": first, "last_seq": last})


def _add_changes(batch: Batch, before: Snapshot, after: Snapshot) -> None:
    old, new = before.state, after.state
    calls = [call for call_id, call in new.attempts.items() if old.attempts.get(call_id) is not call]
    for call in calls:
        _rows(batch, "attempts", known=call.attempt_id in old.attempts).append(_attempt_row(call))
    by_task: dict[str | None, list[Attempt]] = defaultdict(list)
    for call in new.attempts.values():
        by_task[call.task_id].append(call)
    called = {call.task_id for call in calls}
    for task_id, task in new.tasks.items():
        if task_id in called or old.tasks.get(task_id) is not task:
            row = _task_row(new.run_id, task, by_task[task_id])
            _rows(batch, "tasks", known=task_id in old.tasks).append(row)
    if calls or before.meta is not after.meta or _outline(old) != _outline(new):
        _rows(batch, "runs", known=old.seq > 0).append(_run_row(after))


def _rows(batch: Batch, table: str, *, known: bool) -> list[Row]:
    return (batch.changed if known else batch.new)[table]


def _outline(state: RunState) -> tuple[object, ...]:
    """What a run's own row shows, but for its calls."""
    return state.status, state.assembly, state.graph is None, state.warnings, state.complete


def _run_row(run: Snapshot) -> Row:
    state, meta = run
    calls = state.attempts.values()
    request = state.request
    return {
        "run_id": state.run_id,
        "status": state.status,
        "prompt": str(request.get("prompt", "")),
        "owner": meta.owner,
        "class": str(request.get("class") or request.get("run_class") or "interactive"),
        "assembly": _assembly(state),
        "created_at": _timestamp(state.created_at),
        "finished_at": _timestamp(state.finished_at),
        "seconds": seconds_between(state.created_at, state.finished_at),
        "cost_usd": known_cost(calls),
        "input_tokens": _bigint(sum(call.input_tokens for call in calls)),
        "output_tokens": _bigint(sum(call.output_tokens for call in calls)),
        "warnings": json.dumps(state.warnings, ensure_ascii=False),
        "request_key": meta.request_key,
        "request_hash": meta.request_hash,
        "epoch": meta.epoch,
        "complete": state.complete,
    }


def _assembly(state: RunState) -> str | None:
    """How the answer was put together; until that begins, how it will be."""
    planned = state.graph.assembly if state.graph else None
    return state.assembly or state.request.get("assembly") or planned


def _task_row(run_id: str, task: TaskState, calls: Sequence[Attempt]) -> Row:
    return {
        "run_id": run_id,
        "task_id": task.id,
        "title": task.title,
        "kind": task.kind,
        "status": task.status,
        "provider": task.provider,
        "model": task.model,
        "attempts": task.attempts,
        "depends_on": json.dumps(task.depends_on),
        "cost_usd": task_cost(calls),
        "seconds": task.seconds,
        "verdict": task.verdict.model_dump_json() if task.verdict else None,
        "artifact": task.artifact,
        "started_at": _timestamp(task.started_at),
        "finished_at": _timestamp(task.finished_at),
    }


def _attempt_row(call: Attempt) -> Row:
    return {
        **call.model_dump(),
        "n": _bigint(call.n),
        "input_tokens": _bigint(call.input_tokens),
        "cached_tokens": _bigint(call.cached_tokens),
        "output_tokens": _bigint(call.output_tokens),
        "started_at": _timestamp(call.started_at),
    }


def _event_row(event: Event, line: str) -> Row:
    return {
        "run_id": event.run_id,
        "seq": event.seq,
        "ts": _timestamp(event.ts),
        "type": event.type,
        "task_id": event.task_id,
        "body": line,
    }


def _decision_row(event: Decision) -> Row:
    return {
        "run_id": event.run_id,
        "task_id": event.task_id,
        "attempt_id": event.attempt_id,
        "model": event.model,
        "candidates": _CANDIDATES.dump_json(event.candidates).decode(),
    }


def _artifact_row(event: TaskArtifact, state: RunState) -> Row:
    output = state.graph.task(event.task_id).output if state.graph and event.task_id else "text"
    return {
        "artifact": event.artifact,
        "run_id": event.run_id,
        "task_id": event.task_id,
        "media_type": media_type(output),
        "bytes": len(event.text.encode()),
        "text": event.text,
    }


def _timestamp(stamp: str | None) -> datetime | None:
    """The moment as UTC without a zone: DuckDB's TIMESTAMP. What is no time stamp is no reason to lose a run."""
    if not stamp:
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _bigint(count: int) -> int:
    """The count as far as a BIGINT goes: a provider that tells nonsense must not stop the journal."""
    return max(-_BIGINT_MAX, min(count, _BIGINT_MAX))
