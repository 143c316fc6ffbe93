"""The prompt of one task's call.

What all calls of the run share comes first, then the task's own context, and last, verbatim and once, its prompt. So
the calls of a run begin with the same characters, and a provider can cache them. Texts of models and files are in
fenced blocks of the user's turn, never in the system prompt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from ai3ray.domain.call import Message, Prompt
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import Checks, Task
from ai3ray.domain.request import ContextText, RunRequest
from ai3ray.domain.verdict import Defect
from ai3ray.prompts.packaged_prompts import filled_prompt, packaged_prompt
from ai3ray.prompts.portable_schema import portable_schema
from ai3ray.prompts.text import cut, fenced, one_line, shares

MAX_DEPENDENCY = 48_000
"""Characters of one dependency's output that a call carries."""
MAX_DEPENDENCIES = 240_000
"""Characters of all of them together: half of a window of 128,000 tokens."""
MAX_BRIEF = 6_000
"""Characters of all data in the short form of a prompt."""
MAX_TITLE = 80
"""Characters of a title in the outline."""


class Repair(Frozen):
    """An answer that goes back to its author."""

    answer: str
    defects: tuple[Defect, ...]


def build_task_prompt(
    task: Task,
    *,
    titles: Mapping[str, str],
    deps: Sequence[tuple[str, str]],
    request: RunRequest,
    max_output_tokens: int,
    fence: str,
    shared_context: bool = False,
    repair: Repair | None = None,
) -> Prompt:
    """Build the prompt of one task.

    Args:
        task: the task.
        titles: title of each task of the plan by id, in plan order.
        deps: id and output of each direct dependency.
        request: the run's request, for its context.
        max_output_tokens: cap of the answer.
        fence: a random word that marks data; the same in all calls of the run.
        shared_context: whether other tasks of the run read the same context.
        repair: the rejected answer.
    """
    context = [fenced(fence, "context", text.name, text.text) for text in context_of(task, request)]
    shared = _joined([_outline(task, titles), _data(context, fence)])
    room = shares([len(text) for _, text in deps], MAX_DEPENDENCIES, MAX_DEPENDENCY)
    outputs = [
        fenced(fence, "output-of-task", dep_id, cut(text, limit))
        for (dep_id, text), limit in zip(deps, room, strict=True)
    ]
    own = _joined(
        [
            filled_prompt("task_own", id=task.id) if len(titles) > 1 else "",
            _data(outputs, fence),
            _form(task),
            _demands(task.checks) if task.checks else "",
            _sent_back(repair, fence) if repair else "",
        ]
    )
    before = _joined([shared, own])
    text = filled_prompt("task_prompt", before=before, prompt=task.prompt) if before else task.prompt
    schema = task.checks.json_schema if task.checks else None
    return Prompt(
        system=packaged_prompt("task"),
        messages=(Message(role="user", text=text),),
        shared_chars=len(shared) if shared_context else 0,
        brief=_brief(task, deps, request, fence),
        max_output_tokens=max_output_tokens,
        json_schema=portable_schema(schema) if schema is not None else None,
    )


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part)


def _brief(task: Task, deps: Sequence[tuple[str, str]], request: RunRequest, fence: str) -> str:
    """Build the form for very small models, which repeat any instructions: data and prompt alone."""
    data = [*((text.name, text.text) for text in context_of(task, request)), *deps]
    room = shares([len(text) for _, text in data], MAX_BRIEF, MAX_BRIEF)
    blocks = [fenced(fence, "text", name, cut(text, limit)) for (name, text), limit in zip(data, room, strict=True)]
    return "\n\n".join([*blocks, task.prompt])


def context_of(task: Task, request: RunRequest) -> tuple[ContextText, ...]:
    """Return the texts of the request that a task's prompt names.

    A task that names none and depends on nothing reads all of them, so that no text stays unread.
    """
    # `catalogue` does not name `log`. ASCII: scripts without spaces write other letters right beside a name.
    named = tuple(
        text
        for text in request.context
        if re.search(rf"(?<!\w){re.escape(one_line(text.name))}(?!\w)", task.prompt, re.ASCII)
    )
    return named or (() if task.depends_on else request.context)


def _outline(task: Task, titles: Mapping[str, str]) -> str:
    if len(titles) < 2:
        return ""
    shown = {task_id: "" if task.prompt in title else one_line(title, MAX_TITLE) for task_id, title in titles.items()}
    lines = "\n".join(f"- {task_id}: {title}" for task_id, title in shown.items())
    return filled_prompt("task_plan", outline=lines)


def _data(blocks: Sequence[str], fence: str) -> str:
    return filled_prompt("task_data", fence=fence, blocks="\n".join(blocks)) if blocks else ""


def _sent_back(repair: Repair, fence: str) -> str:
    defects = "\n".join(f"- {one_line(one.part)}: {one_line(one.problem, 400)}" for one in repair.defects)
    answer = fenced(fence, "answer", "earlier", cut(repair.answer, MAX_DEPENDENCY))
    return filled_prompt("task_repair", fence=fence, answer=answer, defects=defects)


def _form(task: Task) -> str:
    schema = task.checks.json_schema if task.checks else None
    if schema is not None:
        return filled_prompt("form_json_schema", schema=json.dumps(schema, ensure_ascii=False))
    return "" if task.output == "text" else packaged_prompt(f"form_{task.output}")


def _demands(checks: Checks) -> str:
    demands = []
    if checks.min_words is not None:
        demands.append(f"at least {checks.min_words} words")
    if checks.max_words is not None:
        demands.append(f"at most {checks.max_words} words")
    if checks.must_include:
        quoted = ", ".join(json.dumps(text, ensure_ascii=False) for text in checks.must_include)
        demands.append(f"it contains, letter for letter, {quoted}")
    return filled_prompt("form_checks", demands="; ".join(demands)) if demands else ""
