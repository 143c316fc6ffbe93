"""The prompts that ship with ai3ray, in `configs/prompts`."""

from __future__ import annotations

import re
from functools import cache

from ai3ray.settings.packaged import configs_dir

_SLOT = re.compile(r"\{\{(\w+)\}\}")


@cache
def packaged_prompt(name: str) -> str:
    """Read the prompt of `configs/prompts/NAME.md`, without the surrounding blank lines."""
    return (configs_dir() / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip()


def filled_prompt(name: str, **slots: str) -> str:
    """Fill each `{{slot}}` of a packaged prompt.

    One pass: filled-in text is never searched for slots, so no text can inject another.

    Raises:
        KeyError: the prompt has a slot that is not given.
    """
    return _SLOT.sub(lambda slot: slots[slot[1]], packaged_prompt(name))
