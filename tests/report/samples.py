"""A recorded run as an export's record."""

from __future__ import annotations

import json

from ai3ray.domain.call import Attempt
from ai3ray.report.run_history import RunHistory
from tests.cli.recorded import EVENTS, RUN, run_result


def call(attempt_id, role="task", task_id="a", second=0.0, seconds=1.0, status="succeeded", **more):
    fields = {
        "run_id": RUN,
        "task_id": task_id,
        "attempt_id": attempt_id,
        "role": role,
        "n": 1,
        "provider": "sim",
        "model": "sim/fast",
        "status": status,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.25,
        "started_at": f"2026-11-23T10:00:{second:06.3f}Z",
        "seconds": seconds,
    }
    return Attempt(**(fields | more))


CALLS = (
    call("att_0", "plan", None, 0.25, 2.0, cost_usd=0.5),
    call("att_1", "task", "a", 2.5, 1.5),
    call("att_2", "judge", "a", 4.0, 0.5, model="sim/judge", cost_usd=None),
    call("att_3", "repair", "a", 4.5, 1.0, first_token_s=0.25),
    call("att_4", "task", "b", 6.0, 0.5, "failed", error_type="overloaded", request_id="req_7", cost_usd=None),
    call("att_5", "task", "b", 7.0, None, "lost", maybe_paid=True, cost_usd=None),
    call("att_6", "assemble", None, 10.0, 2.0),
)


def record(**changes):
    fields = {"result": run_result(), "events": [json.loads(event.line()) for event in EVENTS], "attempts": CALLS}
    return RunHistory(**(fields | changes))
