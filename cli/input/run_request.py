"""From the words of `run` and `plan` to a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai3ray.domain.plan import TaskGraph, single_task
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import UsageError

from ..command_context import notify
from .context_texts import context_texts
from .plan_file import read_plan
from .text_input import STDIN, read_text


@dataclass(frozen=True)
class RunArguments:
    """What a command line says of the work itself."""

    prompt: str | None
    """The PROMPT argument; `-` is stdin."""
    plan: str | None = None
    """The `--plan` file; `-` is stdin."""
    no_plan: bool = False
    """One task, the prompt itself."""
    files: Sequence[str] = ()
    """The `-f` files; `-` is stdin."""


def run_request(words: RunArguments, fields: Mapping[str, Any], *, max_tasks: int) -> RunRequest:
    """The request of `ai3 run`.

    Args:
        words: the work.
        fields: further fields of the request; those that are None or empty were not asked for.
        max_tasks: the most tasks a plan file may have.

    Raises:
        UsageError: a word is wrong, before anything was sent.
    """
    if words.plan is not None and words.no_plan:
        raise UsageError("--plan and --no-plan exclude each other; give one of them")
    if words.prompt is None and words.plan is None:
        raise UsageError("what is to be done? Give a PROMPT, '-' to read it from stdin, or --plan FILE")
    _check_stdin_used_once(words)
    text = prompt_text(words.prompt)
    graph = _graph(text, words.plan, no_plan=words.no_plan, max_tasks=max_tasks)
    plan = graph.model_dump(mode="json", exclude_none=True) if graph else None
    return parse_request(_without_unset({"prompt": text, "context": _context(words), "plan": plan, **fields}))


def plan_request(words: RunArguments, fields: Mapping[str, Any]) -> RunRequest:
    """The request of `ai3 plan`; raises UsageError."""
    _check_stdin_used_once(words)
    return parse_request(_without_unset({"prompt": prompt_text(words.prompt), "context": _context(words), **fields}))


def prompt_text(prompt: str | None) -> str:
    """The prompt in words.

    Raises:
        UsageError: it is empty.
    """
    if prompt is None:
        return ""
    text = read_text(STDIN) if prompt == STDIN else prompt
    if not text.strip():
        raise UsageError("the prompt is empty; say what is to be done")
    return text


def _check_stdin_used_once(words: RunArguments) -> None:
    named = {"PROMPT": words.prompt == STDIN, "--plan": words.plan == STDIN, "-f": STDIN in words.files}
    asking = [name for name, asks in named.items() if asks]
    if len(asking) > 1:
        raise UsageError(f"{' and '.join(asking)} cannot both come from stdin; give one of them as a file or in words")


def _context(words: RunArguments) -> list[dict[str, Any]]:
    free = STDIN not in (words.prompt, words.plan)
    texts = context_texts(words.files, read_stdin=free, notify=notify)
    return [text.model_dump(mode="json") for text in texts]


def _graph(prompt: str, plan: str | None, *, no_plan: bool, max_tasks: int) -> TaskGraph | None:
    if plan is not None:
        return read_plan(plan, max_tasks=max_tasks)
    return single_task(prompt) if no_plan else None


def _without_unset(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != []}
