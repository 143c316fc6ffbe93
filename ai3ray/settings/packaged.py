"""The files that ship with ai3ray: `configs/` beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_SLOT = re.compile(r"\{\{(\w+)\}\}")


def configs_dir() -> Path:
    """The folder of packaged configuration and prompts."""
    here = Path(__file__).parent.parent
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


@cache
def prompt_text(name: str) -> str:
    """The prompt of `configs/prompts/NAME.md`, without the surrounding blank lines."""
    return (configs_dir() / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip()


def prompt_with(name: str, **slots: str) -> str:
    """The prompt of that name with each `{{slot}}` filled.

    One pass: what is filled in is never searched for slots, so no text can put another one in its place.

    Raises:
        KeyError: the prompt has a slot that is not given.
    """
    return _SLOT.sub(lambda slot: slots[slot[1]], prompt_text(name))
