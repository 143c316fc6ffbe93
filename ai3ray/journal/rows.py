"""Make table rows from entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from ai3ray.domain.artifact import media_type
from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Decision, Event, TaskArtifact, TaskVerified
from ai3ray.domain.run import RunState, TaskState, seconds_between
from ai3ray.domain.tally import NO_CALLS, Tally
from ai3ray.domain.verdict import Verdict
from ai3ray.journal.entries import Entry, Snapshot

Row = dict[str, Any]
"""Values by column."""

_BIGINT_MAX = (1 << 63) - 1


class HistoryRow(NamedTuple):
    """A row of `history`."""

    run_id: str
    seq: int
    ts: datetime | None
    type: str
    task_id: str | None
    body: str
    beside: str | None


class RowVersion(NamedTuple):
    """A row of `news`."""

    kind: str
    run_id: str
    key: str
    body: str


class Batch(NamedTuple):
    """The rows that one transaction appends."""

    history: list[HistoryRow]
    versions: list[RowVersion]


def batch_of(entries: Iterable[Entry]) -> Batch:
    """Return the rows for these entries; a row that several entries change has one new version."""
    by_run: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_run[entry.after.state.run_id].append(entry)
    batch = Batch([], [])
    for run_id, run_entries in by_run.items():
        for entry in run_entries:
            state = entry.after.state
            batch.history.extend(map(_history_row, entry.events, entry.lines, [state] * len(entry.lines)))
            if entry.key is not None:
                first, last = entry.seqs
                put = {"run_id": run_id, "key": entry.key, "first_seq": first, "last_seq": last}
                batch.versions.append(_row_version("put", entry.key, put))
        calls = {call.attempt_id: call for entry in run_entries for call in entry.attempts}
        batch.versions.extend(_versions(run_entries[0].before, run_entries[-1].after, list(calls.values())))
    return batch


def _versions(before: Snapshot, after: Snapshot, calls: Sequence[Attempt]) -> Iterable[RowVersion]:
    """Yield the new versions of changed rows; `calls` are those that began or ended."""
    old, new = before.state, after.state
    for call in calls:
        yield _row_version("attempt", call.attempt_id, _attempt_row(call))
    called = {call.task_id for call in calls}
    for task_id, task in new.tasks.items():
        if task_id in called or old.tasks.get(task_id) is not task:
            yield _row_version("task", task_id, _task_row(new.run_id, task, new.tallies.get(task_id, NO_CALLS)))
    if before.meta is not after.meta or _run_row_source(old) != _run_row_source(new):
        yield _row_version("run", "", _run_row(after))


def _row_version(kind: str, key: str, row: Row) -> RowVersion:
    # JSON has no NaN: a price that is not a number becomes NULL, which means unknown.
    return RowVersion(kind, row["run_id"], key, to_json(row, inf_nan_mode="null").decode())


def _run_row_source(state: RunState) -> tuple[object, ...]:
    """Return the values that a run's row depends on."""
    tally = state.tally
    return (
        state.seq > 0,
        state.status,
        state.assembly,
        state.graph is None,
        state.warnings,
        state.complete,
        tally.known_usd,
        tally.input_tokens,
        tally.output_tokens,
    )


def _run_row(run: Snapshot) -> Row:
    state, meta = run
    request, tally = state.request, state.tally
    planned_assembly = state.graph.assembly if state.graph else None
    return {
        "run_id": state.run_id,
        "status": state.status,
        "prompt": str(request.get("prompt", "")),
        "owner": meta.owner,
        "class": str(request.get("class") or request.get("run_class") or "interactive"),
        "assembly": state.assembly or request.get("assembly") or planned_assembly,
        "created_at": _timestamp(state.created_at),
        "finished_at": _timestamp(state.finished_at),
        "seconds": seconds_between(state.created_at, state.finished_at),
        "cost_usd": tally.known_usd,
        "input_tokens": _bigint(tally.input_tokens),
        "output_tokens": _bigint(tally.output_tokens),
        "warnings": state.warnings,
        "request_key": meta.request_key,
        "request_hash": meta.request_hash,
        "epoch": meta.epoch,
        "complete": state.complete,
    }


def _task_row(run_id: str, task: TaskState, tally: Tally) -> Row:
    return {
        "run_id": run_id,
        "task_id": task.id,
        "title": task.title,
        "kind": task.kind,
        "status": task.status,
        "provider": task.provider,
        "model": task.model,
        "attempts": task.attempts,
        "depends_on": task.depends_on,
        "cost_usd": tally.usd,
        "seconds": task.seconds,
        "verdict": task.verdict.model_dump() if task.verdict else None,
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


def _history_row(event: Event, line: str, state: RunState) -> HistoryRow:
    beside = _beside(event, state)
    as_json = to_json(beside, inf_nan_mode="null").decode() if beside else None
    return HistoryRow(event.run_id, event.seq, _timestamp(event.ts), event.type, event.task_id, line, as_json)


def _beside(event: Event, state: RunState) -> Row | None:
    """Return the values that SQL reads most often, so that it need not parse the event."""
    match event:
        case Decision():
            return {"attempt_id": event.attempt_id, "model": event.model}
        case TaskArtifact():
            output = state.graph.task(event.task_id).output if state.graph and event.task_id else "text"
            size = len(event.text.encode())
            return {"artifact": event.artifact, "media_type": media_type(output), "bytes": size}
        case TaskVerified(verdict=Verdict() as verdict):
            author = state.tasks[event.task_id or ""]
            known = {
                "by": verdict.by,
                "passed": verdict.passed,
                "score": verdict.score,
                "defects": len(verdict.defects),
            }
            return {"model": author.model, "kind": author.kind, **known}
    return None


def _timestamp(stamp: str | None) -> datetime | None:
    """Return the moment as UTC without a zone; None for a malformed one."""
    if not stamp:
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _bigint(count: int) -> int:
    """Limit the count to a BIGINT: an absurd value from a provider must not stop the journal."""
    return max(-_BIGINT_MAX, min(count, _BIGINT_MAX))
