"""Plans that the engine's tests run."""

from __future__ import annotations

from typing import Any

from ai3ray.domain.request import RunRequest

DIAMOND: dict[str, Any] = {
    "tasks": [
        {"id": "top", "prompt": "Collect the facts about tea.", "kind": "analysis"},
        {"id": "left", "prompt": "Write about green tea.", "kind": "writing", "depends_on": ["top"]},
        {"id": "right", "prompt": "Write about black tea.", "kind": "writing", "depends_on": ["top"]},
        {"id": "bottom", "prompt": "Compare the two teas.", "kind": "analysis", "depends_on": ["left", "right"]},
    ]
}


def wide(count: int) -> dict[str, Any]:
    """Tasks that need nothing of each other."""
    return {"tasks": [{"id": f"t{n}", "prompt": f"Write about subject {n}."} for n in range(count)]}


def asked(plan: dict[str, Any] | None = None, prompt: str = "", **fields: Any) -> RunRequest:
    """A request for a plan."""
    return RunRequest(prompt=prompt, plan=plan, **fields)
