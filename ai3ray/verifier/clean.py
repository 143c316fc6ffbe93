"""What of an answer is kept: models wrap JSON and code into fences that nobody asked for."""

from __future__ import annotations

from ai3ray.domain.plan import Task
from ai3ray.prompts.markdown import fenced_blocks, unwrapped
from ai3ray.verifier.chatter import without_chatter

_MARKDOWN = frozenset({"markdown", "md"})
_JSON = frozenset({"", "json", "jsonc", "json5"})


def wants_json(task: Task) -> bool:
    """Whether the answer is read as JSON."""
    return task.output == "json" or (task.checks is not None and task.checks.json_schema is not None)


def clean_output(task: Task, text: str) -> str:
    """The answer as it is committed.

    JSON: out of its fence, even when the model wrote a remark around it. Code: without the remarks of a chat,
    out of its fence when the fence is all there is. Markdown: out of a fence that calls the whole answer
    Markdown. Anything else, and answers of several blocks, stay as they are.
    """
    if wants_json(task):
        return _json(text)
    if task.output == "code":
        return unwrapped(without_chatter(text))
    return unwrapped(text, _MARKDOWN) if task.output == "markdown" else text


def _json(text: str) -> str:
    """The only JSON block of the text, unless the text begins as JSON itself."""
    if text.lstrip().startswith(("{", "[", '"')):
        return text
    bodies = [block.body for block in fenced_blocks(text) if block.tag in _JSON]
    return bodies[0].strip() if len(bodies) == 1 else text
