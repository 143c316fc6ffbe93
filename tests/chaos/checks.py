"""The promises, held against the run's history, its rows, and the simulator's ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ai3ray.client.client import Client
from ai3ray.domain.events import Event
from ai3ray.domain.result import RunResult
from ai3ray.simulator.billing import BilledCall
from tests.chaos.homes import LIMIT, Site, Victim
from tests.chaos.trap import Point, Struck

CLOCK_S = 0.002
"""What a time stamp of the journal, cut to milliseconds, may be off."""
CANCEL_S = 0.25
"""A request that was sent before a cancel may be read by a busy simulator so much later."""

Key = tuple[str, str | None, str]
"""Role, task and model of a call."""


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass(frozen=True)
class Answer:
    """How a run ends: what may not depend on who was killed."""

    status: str
    output: str | None
    error: str | None
    tasks: Mapping[str, tuple[str, str | None]]
    """Status and output of each task."""


@dataclass(frozen=True)
class Attempt:
    """A row of `attempts`."""

    task_id: str | None
    role: str
    model: str
    status: str
    request_id: str | None
    cost_usd: float | None
    maybe_paid: bool
    n: int

    @property
    def key(self) -> Key:
        return self.role, self.task_id, self.model


@dataclass(frozen=True)
class Record:
    """All that is known of a run after its end."""

    result: RunResult
    events: Sequence[Event]
    attempts: Sequence[Attempt]
    calls: Sequence[BilledCall]

    @property
    def answer(self) -> Answer:
        """How it ended."""
        result = self.result
        error = result.error.message if result.error else None
        tasks = {task.id: (task.status, task.output) for task in result.tasks}
        return Answer(result.status, result.output, error, tasks)

    @property
    def types(self) -> Counter[str]:
        """How many events of each type it has."""
        return Counter(event.type for event in self.events)

    @property
    def artifacts(self) -> dict[str, Event]:
        """The artifact of each task."""
        return {str(event.task_id): event for event in self.events if event.type == "task_artifact"}

    def key_of(self, call: BilledCall) -> Key:
        """What a call was for, by what it says."""
        text, model = call.turns[-1][1], f"{call.provider}/{call.model}"
        if "Make one answer from these parts" in text:
            return "assemble", None, model
        if call.role == "plan":
            return "plan", None, model
        tasks = [task_id for task_id, prompt in self._prompts().items() if prompt in text]
        _demand(len(tasks) == 1, f"a call carries the prompts of {tasks}")
        if call.role == "judge":
            return "judge", tasks[0], model
        return "repair" if "was sent back" in text else "task", tasks[0], model

    def _prompts(self) -> dict[str, str]:
        plan = next((event.plan for event in self.events if event.type == "plan" and event.plan), {"tasks": []})
        return {task["id"]: task["prompt"] for task in plan["tasks"]}


async def record_of(client: Client, run_id: str, site: Site) -> Record:
    """The record of a run that has ended."""
    columns = "task_id, role, model, status, request_id, cost_usd, maybe_paid, n"
    table = await client.sql(f"select {columns} from attempts where run_id = '{run_id}' order by started_at")
    return Record(
        result=await client.result(run_id),
        events=[event async for event in client.events(run_id)],
        attempts=[Attempt(*row) for row in table.rows],
        calls=list(site.simulator.ledger.calls),
    )


def check(record: Record, expected: Answer, victim: Victim, point: Point, struck: Struck, told: Iterable[str]) -> None:
    """All promises.

    Args:
        record: the run.
        expected: how the same run ends undisturbed.
        victim: who was killed.
        point: where.
        struck: when, and the events of that commit.
        told: the events that were on disk, as the trap saw it, and those that a reader was shown.
    """
    _same(record.answer, expected)
    check_history(record)
    _check_disk(record, victim, point, struck, told)
    check_bills(record)
    _check_in_flight(record, victim, struck)


def check_history(record: Record) -> None:
    """One end, no gaps, every task committed once, nothing before what it was made from."""
    events, types = record.events, record.types
    _demand([event.seq for event in events] == list(range(1, len(events) + 1)), "the history has gaps")
    ends = types["final"] + types["error"] + types["cancelled"]
    _demand(ends == types["stats"] == types["run_start"] == 1, f"not terminal once: {dict(types)}")
    _demand([events[0].type, events[-1].type] == ["run_start", "stats"], "the history has another beginning or end")
    committed = Counter(event.task_id for event in events if event.type == "task_artifact")
    _demand(set(committed.values()) <= {1}, f"committed twice: {committed}")
    done = {task.id for task in record.result.tasks if task.status == "succeeded"}
    _demand(set(committed) == done, "an artifact without success, or success without an artifact")
    deps = {task.id: task.depends_on for task in record.result.tasks}
    for event in events:
        if event.type == "task_start":
            early = [dep for dep in deps[event.task_id] if record.artifacts[dep].seq > event.seq]
            _demand(not early, f"{event.task_id} came before {early}")


def check_bills(record: Record) -> None:
    """Every call has its row, and every call that brought nothing is known as maybe paid."""
    attempts, calls = record.attempts, record.calls
    keys = [record.key_of(call) for call in calls]
    untold = Counter(keys) - Counter(attempt.key for attempt in attempts)
    _demand(not untold, f"calls that no attempt tells of: {dict(untold)}")
    settled = {attempt.request_id for attempt in attempts if attempt.request_id}
    wasted = Counter(key for key, call in zip(keys, calls, strict=True) if call.request_id not in settled)
    unsure = Counter(attempt.key for attempt in attempts if attempt.maybe_paid)
    _demand(not wasted - unsure, f"calls that brought nothing and count as unpaid: {dict(wasted - unsure)}")
    _demand(all(attempt.status != "started" for attempt in attempts), "an attempt is open after the run's end")
    by_role = Counter((attempt.task_id, "task" if attempt.role == "repair" else attempt.role) for attempt in attempts)
    numbers = Counter((a.task_id, "task" if a.role == "repair" else a.role, a.n) for a in attempts)
    _demand(set(numbers.values()) <= {1}, f"attempts are numbered twice: {dict(numbers - Counter(list(numbers)))}")
    _demand(all(n <= by_role[task, role] for task, role, n in numbers), "attempts are not numbered from 1 on")
    _check_costs(record)
    _check_paid_once(record, keys)
    _check_limits(calls)


def _same(found: Answer, expected: Answer) -> None:
    for name, wanted in vars(expected).items():
        got = vars(found)[name]
        _demand(got == wanted, f"another answer: {name} is {str(got)[:200]!r} instead of {str(wanted)[:200]!r}")


def _check_disk(record: Record, victim: Victim, point: Point, struck: Struck, told: Iterable[str]) -> None:
    """What was on disk is there, byte for byte; what was not, with nobody left to write it, is not."""
    lines = {event.line() for event in record.events}
    lost = [line for line in told if json.loads(line)["run_id"] == record.result.run_id and line not in lines]
    _demand(not lost, f"events that were committed or shown are lost or changed: {lost}")
    if point.side == "after":
        _demand(lines.issuperset(struck.lines), "the event was committed, and is lost")
    elif victim in ("core", "head"):
        _demand(lines.isdisjoint(struck.lines), "the kill came after the commit it was to come before")


def _check_costs(record: Record) -> None:
    """A call that was settled costs what the provider billed, and the run costs their sum."""
    billed = {call.request_id: call.cost_usd or 0.0 for call in record.calls}
    for attempt in record.attempts:
        if attempt.status == "succeeded":
            paid = billed.get(attempt.request_id or "", -1.0)
            _demand(abs((attempt.cost_usd or 0.0) - paid) < 1e-9, f"{attempt} was billed {paid}")
    total = sum(attempt.cost_usd or 0.0 for attempt in record.attempts)
    _demand(abs(record.result.stats.cost_usd - total) < 1e-9, "the run does not cost what its calls cost")


def _check_paid_once(record: Record, keys: Sequence[Key]) -> None:
    """No call for a task after its artifact, none for a plan after the plan, none at all after the end."""
    for (role, task_id, _), call in zip(keys, record.calls, strict=True):
        for event in record.events:
            over = (
                (event.type == "task_artifact" and event.task_id == task_id)
                or (event.type == "plan" and event.phase == "completed" and role == "plan")
                or event.type in ("final", "error", "cancelled")
            )
            may_be_late = CANCEL_S if event.type == "cancelled" else CLOCK_S
            if over and call.started > _seconds(event) + may_be_late:
                late = call.started - _seconds(event)
                raise Broken(f"a call as {role} of {task_id} came {late:.3f} s after {event.type} {event.seq}")


def _check_limits(calls: Iterable[BilledCall]) -> None:
    """Never more calls at a provider than it allows, whoever made them."""
    moments: list[tuple[float, int, str]] = []
    for call in calls:
        moments += [(call.started, 1, call.provider), (call.ended or float("inf"), -1, call.provider)]
    open_calls: Counter[str] = Counter()
    for _, change, provider in sorted(moments):
        open_calls[provider] += change
        _demand(open_calls[provider] <= LIMIT, f"more than {LIMIT} calls in flight at {provider}")


def _check_in_flight(record: Record, victim: Victim, struck: Struck) -> None:
    """What was in flight when it came may have been paid, and is counted so; a dead command costs nothing."""
    unsure = sum(attempt.maybe_paid for attempt in record.attempts)
    if victim in ("runner", "core", "head"):
        open_calls = sum(call.started <= struck.at < (call.ended or float("inf")) for call in record.calls)
        _demand(unsure >= open_calls, f"{open_calls} calls were in flight, {unsure} are known as maybe paid")
    if victim == "cli":
        lost = sum(attempt.status == "lost" for attempt in record.attempts)
        _demand(not lost, f"the death of a command has cost {lost} calls")


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event.ts).timestamp()


def _demand(kept: bool, promise: str) -> None:
    if not kept:
        raise Broken(promise)
