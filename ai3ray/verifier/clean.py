"""Strips the fences and remarks that a task did not ask for."""

from __future__ import annotations

from ai3ray.domain.plan import Task
from ai3ray.prompts.markdown import fenced_blocks, unwrapped
from ai3ray.verifier.chatter import without_chatter

_MARKDOWN = frozenset({"markdown", "md"})
_JSON = frozenset({"", "json", "jsonc", "json5"})


def wants_json(task: Task) -> bool:
    """Return True if the answer is read as JSON."""
    return task.output == "json" or (task.checks is not None and task.checks.json_schema is not None)


def clean_output(task: Task, text: str) -> str:
    """Return the answer as it is committed.

    JSON is taken out of its fence, even within remarks. Code loses the remarks around it, and its fence when nothing
    else is left. Markdown loses a fence around the whole answer. All else stays as it is.
    """
    if wants_json(task):
        if text.lstrip().startswith(("{", "[", '"')):
            return text
        bodies = [block.body for block in fenced_blocks(text) if block.tag in _JSON]
        return bodies[0].strip() if len(bodies) == 1 else text
    if task.output == "code":
        return unwrapped(without_chatter(text))
    return unwrapped(text, _MARKDOWN) if task.output == "markdown" else text
