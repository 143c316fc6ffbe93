"""The request that `run` and `plan` send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai3ray.domain.plan import single_task
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import UsageError

from ..command_context import notify
from .context_texts import context_texts
from .plan_file import read_plan
from .text_input import STDIN, read_text


@dataclass(frozen=True)
class RunArguments:
    """Arguments that describe the work; `-` is stdin."""

    prompt: str | None
    plan: str | None = None
    no_plan: bool = False
    files: Sequence[str] = ()


def run_request(arguments: RunArguments, fields: Mapping[str, Any], *, max_tasks: int) -> RunRequest:
    """Return the request of `ai3 run`.

    Args:
        arguments: the work.
        fields: further fields; None and empty lists are left out.
        max_tasks: the most tasks a plan file may have.

    Raises:
        UsageError: an argument is wrong.
    """
    if arguments.plan is not None and arguments.no_plan:
        raise UsageError("--plan and --no-plan cannot be combined; give one of them")
    if arguments.prompt is None and arguments.plan is None:
        raise UsageError("no prompt: give a PROMPT, '-' to read it from stdin, or --plan FILE")
    _check_stdin_used_once(arguments)
    prompt = prompt_text(arguments.prompt)
    graph = single_task(prompt) if arguments.no_plan else None
    if arguments.plan is not None:
        graph = read_plan(arguments.plan, max_tasks=max_tasks)
    plan = graph.model_dump(mode="json", exclude_none=True) if graph else None
    return _request({"prompt": prompt, "context": _context(arguments), "plan": plan, **fields})


def plan_request(arguments: RunArguments, fields: Mapping[str, Any]) -> RunRequest:
    """Return the request of `ai3 plan`; raises UsageError."""
    _check_stdin_used_once(arguments)
    return _request({"prompt": prompt_text(arguments.prompt), "context": _context(arguments), **fields})


def prompt_text(prompt: str | None) -> str:
    """Return the prompt, read from stdin for `-`; raises UsageError if it is empty."""
    if prompt is None:
        return ""
    text = read_text(STDIN) if prompt == STDIN else prompt
    if not text.strip():
        raise UsageError("the prompt is empty; describe the task in it")
    return text


def _check_stdin_used_once(arguments: RunArguments) -> None:
    uses = {"PROMPT": arguments.prompt == STDIN, "--plan": arguments.plan == STDIN, "-f": STDIN in arguments.files}
    users = [name for name, used in uses.items() if used]
    if len(users) > 1:
        raise UsageError(
            f"{' and '.join(users)} cannot both come from stdin; give one of them as a file or on the command line"
        )


def _context(arguments: RunArguments) -> list[dict[str, Any]]:
    free = STDIN not in (arguments.prompt, arguments.plan)
    texts = context_texts(arguments.files, read_stdin=free, notify=notify)
    return [text.model_dump(mode="json") for text in texts]


def _request(fields: Mapping[str, Any]) -> RunRequest:
    return parse_request({name: value for name, value in fields.items() if value is not None and value != []})
