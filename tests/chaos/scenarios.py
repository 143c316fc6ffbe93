"""The runs that are struck: together they show every event that a run can have, and each ends the same every time.

What makes them repeatable: the router goes by price alone (see `homes.py`), so every call of a kind goes to the same
model; the simulator answers the same request alike; and a fault strikes always, not only the first time, so that what
is done again after a kill goes wrong again in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai3ray.domain.request import RunRequest

AUTHOR, OTHER = "xai/grok-4.7", "openai/gpt-6.1-sol"
"""The cheaper model, which writes; and the one that judges it, or takes over."""
MARK = "Mind the margin."
"""Stands in the prompts that a fault is for, and in no answer."""
_FINE = {"fault": "stall", "seconds": 0}
"""No fault; in front of another rule, it takes calls out of it."""
_JUDGE = {**_FINE, "contains": "You check one answer"}
_REPAIR = {**_FINE, "contains": "was sent back"}


@dataclass(frozen=True)
class Scenario:
    """One kind of run."""

    name: str
    request: RunRequest
    faults: tuple[Mapping[str, Any], ...] = ()
    """Rules for the simulator."""
    cancel_at: str | None = None
    """The task at whose start the user cancels the run."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """Each task's own prompt, by which its calls are known in the simulator's ledger; of a planned run, none."""


def _task(task_id: str, prompt: str, *deps: str) -> dict[str, Any]:
    return {"id": task_id, "title": f"On {task_id}", "prompt": prompt, "depends_on": list(deps)}


def _scenario(name: str, *tasks: dict[str, Any], assembly: str = "last", **more: Any) -> Scenario:
    own = {key: more.pop(key) for key in ("faults", "cancel_at") if key in more}
    fields = {"models": (AUTHOR, OTHER), "max_concurrency": 4, "plan": {"tasks": list(tasks), "assembly": assembly}}
    request = RunRequest.model_validate({"prompt": f"Tell of tea ({name}).", **fields, **more})
    return Scenario(name, request, prompts={task["id"]: task["prompt"] for task in tasks}, **own)


_TOP = _task("top", "Collect the facts about tea.")
_LEFT = _task("left", "Write about green tea.", "top")
_RIGHT = _task("right", "Write about black tea.", "top")
_BOTTOM = _task("bottom", "Compare the two teas.", "left", "right")
_POOR = _task("poor", f"Write about white tea. {MARK}")

_PLANNED = Scenario(
    "planned",
    RunRequest(prompt="Write a 3-section text about oolong tea", planner_model=AUTHOR, models=(AUTHOR, OTHER)),
)

SCENARIOS: tuple[Scenario, ...] = (
    _scenario("diamond", _TOP, _LEFT, _RIGHT, _BOTTOM),
    _scenario("plain", _TOP, _LEFT, _RIGHT, _BOTTOM, verify=False),
    _PLANNED,
    _scenario(
        "repaired",
        _POOR,
        _task("next", "Say in a word what white tea is.", "poor"),
        faults=(_REPAIR, {"contains": MARK, "provider": "xai", "fault": "defect"}),
    ),
    _scenario(
        "taken over",
        _POOR,
        _task("next", "Say in a word what white tea is.", "poor"),
        faults=(_JUDGE, {"contains": MARK, "provider": "xai", "fault": "empty"}),
    ),
    _scenario("merged", _LEFT | {"depends_on": []}, _RIGHT | {"depends_on": []}, assembly="synthesize", verify=False),
    _scenario(
        "merged badly",
        _LEFT | {"depends_on": []},
        _RIGHT | {"depends_on": []},
        assembly="synthesize",
        verify=False,
        faults=({"contains": "Make one answer from these parts", "fault": "defect"},),
    ),
    _scenario(
        "holes",
        _TOP,
        _POOR,
        _task("lost", "Say in a word what white tea is.", "poor"),
        assembly="concat",
        verify=False,
        faults=({"contains": MARK, "fault": "refusal"},),
    ),
    _scenario("failed", _POOR, verify=False, faults=({"contains": MARK, "fault": "refusal"},)),
    _scenario(
        "cancelled",
        _TOP,
        _task("slow", f"Write about yellow tea. {MARK}", "top"),
        verify=False,
        faults=({"contains": MARK, "fault": "stall", "seconds": 60},),
        cancel_at="slow",
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
