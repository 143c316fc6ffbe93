"""The JSON of a run: `ai3 run --json`, `GET /runs/{id}`, `RunResult`."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from ai3ray.domain.call import Attempt, ErrorInfo
from ai3ray.domain.events import Stats
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.run import RunState, seconds_between
from ai3ray.domain.tally import Tally
from ai3ray.domain.verdict import Verdict


class TaskResult(Frozen):
    """One task of a run."""

    id: str
    title: str
    kind: str
    status: str
    """pending, running, succeeded, failed, skipped or cancelled."""
    provider: str | None
    model: str | None
    """The model of its latest attempt."""
    attempts: int
    depends_on: tuple[str, ...]
    output: str | None
    cost_usd: float | None
    """Cost of its calls, with repairs and judges; null when a price is unknown."""
    seconds: float | None
    """Seconds from its first attempt to its end."""
    verdict: Verdict | None
    """The latest verdict; null when not verified."""
    error: ErrorInfo | None = Field(default=None, exclude_if=lambda value: value is None)
    """Why it has no answer."""


class RunResult(Frozen):
    """A run, finished or not."""

    run_id: str
    status: str
    """queued, planning, running, assembling, succeeded, partial, failed or cancelled."""
    prompt: str
    """The request's prompt."""
    output: str | None
    """The answer; null before there is one."""
    tasks: tuple[TaskResult, ...]
    """In plan order."""
    stats: Stats
    warnings: tuple[str, ...]
    """Warnings, one line each."""
    error: ErrorInfo | None = Field(default=None, exclude_if=lambda value: value is None)
    """Why it failed."""


def run_result(state: RunState, now: str | None = None) -> RunResult:
    """Return the JSON view of a run, measured up to `now` if it is unfinished."""
    return RunResult(
        run_id=state.run_id,
        status=state.status,
        prompt=str(state.request.get("prompt", "")),
        output=state.output,
        tasks=tuple(
            TaskResult(
                id=task.id,
                title=task.title,
                kind=task.kind,
                status=task.status,
                provider=task.provider,
                model=task.model,
                attempts=task.attempts,
                depends_on=task.depends_on,
                output=task.output,
                cost_usd=state.tallies[task.id].usd if task.id in state.tallies else 0.0,
                seconds=task.seconds,
                verdict=task.verdict,
                error=task.error,
            )
            for task in state.tasks.values()
        ),
        stats=run_stats(state, now),
        warnings=state.warnings,
        error=state.error,
    )


def run_stats(state: RunState, now: str | None = None) -> Stats:
    """Return the run's statistics, measured up to `now` if it is unfinished."""
    tally = state.tally
    return Stats(
        cost_usd=tally.known_usd,
        cost_complete=not tally.unpriced,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        calls=len(state.attempts),
        tasks=len(state.tasks),
        seconds=seconds_between(state.created_at, state.finished_at or now) or 0.0,
        critical_path_seconds=round(critical_path(state), 3),
        judge_cost_usd=known_cost(call for call in state.attempts.values() if call.role == "judge"),
    )


def known_cost(calls: Iterable[Attempt]) -> float:
    """Return the US dollars of the calls of known price."""
    return Tally.of(calls).known_usd


def task_cost(calls: Iterable[Attempt]) -> float | None:
    """Return the US dollars of one task's calls; None when a price is unknown."""
    return Tally.of(calls).usd


def critical_path(state: RunState) -> float:
    """Return the seconds of the longest chain of dependent tasks (longest path in a DAG)."""
    finish: dict[str, float] = {}
    for task in state.graph.topological() if state.graph else ():
        done = state.tasks[task.id]
        finish[task.id] = (done.seconds or 0.0) + max((finish[dep] for dep in task.depends_on), default=0.0)
    return max(finish.values(), default=0.0)
