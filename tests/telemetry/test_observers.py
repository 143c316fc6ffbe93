"""Sinks follow the engine, and one that raises hurts neither the others nor a run."""

from __future__ import annotations

import logging

import pytest

from ai3ray.domain.call import Attempt, ErrorInfo, Usage
from ai3ray.domain.events import RunStart, TaskArtifact, TaskFailed, TaskSkipped, TaskStart
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal
from ai3ray.telemetry.observers import Observers, active_sinks
from ai3ray.telemetry.sinks.log_lines import LogLines

STARTED = Attempt(
    run_id="r", task_id="t", attempt_id="a", role="task", n=1, provider="p", model="p/m", status="started"
)
REQUEST = LeaseRequest(request_id="q", run_id="r", task_id="t")
GRANTED = Lease("q", "r", "a", "p", "p/m", token=1, expires_s=60.0)
REFUSED = Refusal("q", "r", ErrorInfo(type="key", message="Incorrect API key provided: sk-secret"))
ENTRIES = (
    RunStart(request={"prompt": "a secret prompt"}),
    TaskStart(task_id="t", attempt_id="a", model="p/m"),
    TaskArtifact(task_id="t", artifact="sha256:0", text="a secret answer", model="p/m", usage=Usage(), cost_usd=0.0),
    TaskFailed(task_id="u", error=ErrorInfo(type="rejected", message="a secret reason")),
    TaskSkipped(task_id="v", because="u"),
)


class Recorder:
    """A sink that keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def task_changed(self, run_id, task_id, status):
        self.calls.append(("task", run_id, task_id, status))

    def attempt_changed(self, attempt):
        self.calls.append(("attempt", attempt.attempt_id, attempt.status))

    def lease_answered(self, request, answer):
        self.calls.append(("lease", request.request_id, type(answer).__name__))

    def committed(self, run_ids):
        self.calls.append(("commit", *sorted(run_ids)))


class Broken(Recorder):
    """A sink that fails at its first call."""

    def attempt_changed(self, attempt):
        super().attempt_changed(attempt)
        raise RuntimeError("no space for another metric")

    task_changed = lease_answered = committed = attempt_changed


def report_all(observers: Observers) -> None:
    observers.lease_answered(REQUEST, GRANTED)
    observers.entries("r", ENTRIES, [STARTED])
    observers.committed({"r"})
    observers.lease_answered(REQUEST, REFUSED)


def test_every_sink_gets_tasks_attempts_leases_and_commits():
    sinks = Recorder(), Recorder()
    report_all(Observers(sinks))
    assert sinks[0].calls == sinks[1].calls
    assert sinks[0].calls == [
        ("lease", "q", "Lease"),
        ("attempt", "a", "started"),
        ("task", "r", "t", "running"),
        ("task", "r", "t", "succeeded"),
        ("task", "r", "u", "failed"),
        ("task", "r", "v", "skipped"),
        ("commit", "r"),
        ("lease", "q", "Refusal"),
    ]


def test_a_sink_that_raises_is_logged_once_and_taken_out_and_the_others_go_on(caplog):
    before, broken, behind = Recorder(), Broken(), Recorder()
    observers = Observers([before, broken, behind])
    observers.entries("r", (), [STARTED])
    observers.entries("r", (), [STARTED])
    assert len(broken.calls) == 1
    assert len(before.calls) == len(behind.calls) == 2
    assert [record.message for record in caplog.records] == ["Broken is switched off: it raised"]


def test_log_lines_have_ids_and_figures_and_no_text(caplog):
    with caplog.at_level(logging.DEBUG, "ai3ray.telemetry"):
        report_all(Observers([LogLines()]))
    assert len(caplog.records) == 8
    assert "secret" not in caplog.text
    assert "r attempt a started task=t role=task model=p/m" in caplog.text
    assert "r lease refused task=t error=key" in caplog.text


@pytest.mark.parametrize(("level", "sinks"), [(logging.DEBUG, 1), (logging.INFO, 0)])
def test_a_sink_is_active_only_where_its_lines_are_logged(caplog, level, sinks):
    with caplog.at_level(level, "ai3ray.telemetry"):
        assert len(active_sinks()) == sinks
