"""The prompt of the model that merges the parts of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from ai3ray.domain.call import Message, Prompt
from ai3ray.domain.plan import Task
from ai3ray.domain.tokens import estimated_tokens
from ai3ray.prompts.packaged_prompts import filled_prompt, packaged_prompt
from ai3ray.prompts.text import fenced

LEAST_TOKENS = 1024
"""Least cap of a merged answer."""
ROOM = 8 / 3
"""The cap as a multiple of the parts' estimated tokens, never to cut an answer short."""


def synthesis_prompt(asked: str, parts: Sequence[tuple[Task, str]], missing: Sequence[Task], *, fence: str) -> Prompt:
    """Build the prompt of the merging model.

    Args:
        asked: the run's prompt.
        parts: tasks with their outputs.
        missing: tasks without an output.
        fence: a random word that marks data.
    """
    blocks = "\n".join(fenced(fence, "part", task.title, output) for task, output in parts)
    holes = "".join(f"Missing: {' '.join(task.title.split())}.\n" for task in missing)
    text = filled_prompt("synthesize_request", blocks=blocks, holes=holes, prompt=asked)
    size = estimated_tokens(sum(len(output) for _, output in parts))
    return Prompt(
        system=packaged_prompt("synthesize"),
        messages=(Message(role="user", text=text),),
        max_output_tokens=max(LEAST_TOKENS, int(ROOM * size)),
    )
