"""From the words of `run` and `plan` to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ai3ray.domain.plan import TaskGraph, single_task
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import NotBuilt, UsageError

from .plan_file import read_plan
from .stdin import STDIN, read_text, refuse_piped_context


def refuse_unbuilt(flags: Mapping[str, object]) -> None:
    """Turn down the flags that were given.

    Raises:
        NotBuilt: naming the first one.
    """
    for flag, value in flags.items():
        if value:
            raise NotBuilt(f"{flag} is not built in this version; run without it")


def run_request(
    prompt: str | None, plan: str | None, fields: Mapping[str, Any], *, no_plan: bool, max_tasks: int
) -> RunRequest:
    """The request of `ai3 run`.

    Args:
        prompt: the PROMPT argument; `-` is stdin.
        plan: the `--plan` file.
        fields: further fields of the request; those that are None or empty were not asked for.
        no_plan: one task, the prompt itself.
        max_tasks: the most tasks a plan file may have.

    Raises:
        UsageError: a word is wrong, before anything was sent.
    """
    if plan is not None and no_plan:
        raise UsageError("--plan and --no-plan exclude each other; give one of them")
    if prompt == STDIN and plan == STDIN:
        raise UsageError("PROMPT and --plan cannot both come from stdin; give one of them as a file or in words")
    if prompt is None and plan is None:
        raise UsageError("what is to be done? Give a PROMPT, '-' to read it from stdin, or --plan FILE")
    text = prompt_text(prompt)
    if STDIN not in (prompt, plan):
        refuse_piped_context()
    graph = _graph(text, plan, no_plan=no_plan, max_tasks=max_tasks)
    asked = {"prompt": text, "plan": graph.model_dump(mode="json", exclude_none=True) if graph else None, **fields}
    return parse_request(_given(asked))


def plan_request(prompt: str, fields: Mapping[str, Any]) -> RunRequest:
    """The request of `ai3 plan`; raises UsageError."""
    return parse_request(_given({"prompt": prompt_text(prompt), **fields}))


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


def _graph(prompt: str, plan: str | None, *, no_plan: bool, max_tasks: int) -> TaskGraph | None:
    if plan is not None:
        return read_plan(plan, max_tasks=max_tasks)
    return single_task(prompt) if no_plan else None


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != []}
