"""One prompt becomes a task graph: one call, at most one repair, else the fallback plan."""

from __future__ import annotations

from ai3ray.domain.call import Message, Prompt, Reply
from ai3ray.domain.events import PlanSource, Warned
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import TaskGraph, single_task
from ai3ray.domain.request import RunRequest
from ai3ray.errors import PlanError, ProviderError, RunError
from ai3ray.planner.port import Ask
from ai3ray.planner.reading import read_plan
from ai3ray.planner.schema import plan_schema
from ai3ray.prompts.text import cut, one_line
from ai3ray.settings.packaged import prompt_text, prompt_with

MAX_SHOWN_REPLY = 24_000
"""Characters of a rejected reply that its repair shows."""
MAX_REASON = 300
"""Characters of the reason in a warning."""


class PlanMade(Frozen):
    """A task graph that can be run."""

    graph: TaskGraph
    """The plan."""
    source: PlanSource
    """`model`, or `fallback` when no valid plan was to be had."""
    warnings: tuple[Warned, ...] = ()
    """Drafts of the events that tell the reader about it."""


class _Refused(PlanError):
    """The model will not plan this; asking it again is pointless."""


async def make_plan(
    request: RunRequest, *, max_tasks: int, max_output_tokens: int, temperature: float, ask: Ask
) -> PlanMade:
    """Plan a request.

    Args:
        request: what is wanted; its assembly overrides the plan's.
        max_tasks: the most tasks allowed.
        max_output_tokens: cap of the plan, in tokens; twice that for the repair of a plan that was cut off.
        temperature: wished sampling temperature.
        ask: makes the model calls.

    Raises:
        ProviderError: the first call failed on every model that could be tried.
        RunError: no model can be asked.
    """
    prompt = Prompt(
        system=prompt_text("planner"),
        messages=(_user("planner_request", request, max_tasks),),
        max_output_tokens=max_output_tokens,
        temperature=temperature,
        json_schema=plan_schema(),
        schema_name="plan",
    )
    first = await ask(prompt, n=1)
    try:
        return _made(_read(first, max_tasks), request)
    except _Refused as refused:
        return _fallback(request, str(refused))
    except PlanError as error:
        wrong = error
    try:
        second = await ask(_repair(prompt, first, wrong, request, max_tasks), n=2)
        return _made(_read(second, max_tasks), request)
    except (PlanError, ProviderError, RunError) as error:
        return _fallback(request, f"{wrong}; after one repair: {error}")


def _read(reply: Reply, max_tasks: int) -> TaskGraph:
    """The plan of a reply. A cut-off reply counts only when it holds a whole, valid plan. Raises PlanError."""
    if reply.finish == "refusal":
        raise _Refused(f"{reply.model} refused to plan")
    try:
        return read_plan(reply.text, max_tasks=max_tasks)
    except PlanError as error:
        if reply.finish == "length":
            raise PlanError("the reply was cut off at the output limit: write fewer tasks, shorter prompts") from error
        raise


def _repair(prompt: Prompt, reply: Reply, wrong: PlanError, request: RunRequest, max_tasks: int) -> Prompt:
    """The prompt once more, with what came of it and what is wrong with that.

    It is one message rather than a conversation, because providers refuse an empty turn.
    """
    message = _user(
        "planner_repair",
        request,
        max_tasks,
        problems=str(wrong),
        reply=cut(reply.text, MAX_SHOWN_REPLY) or "(nothing)",
    )
    doubled = 2 if reply.finish == "length" else 1
    return prompt.model_copy(update={"messages": (message,), "max_output_tokens": doubled * prompt.max_output_tokens})


def _user(name: str, request: RunRequest, max_tasks: int, **slots: str) -> Message:
    """The user's turn. Context is named and measured, not shown: its content cannot steer the plan."""
    names = ", ".join(f'"{one_line(text.name)}" ({len(text.text):,} characters)' for text in request.context) or "none"
    text = prompt_with(name, prompt=request.prompt, max_tasks=str(max_tasks), context=names, **slots)
    return Message(role="user", text=text)


def _made(graph: TaskGraph, request: RunRequest) -> PlanMade:
    return PlanMade(graph=_as_asked(graph, request), source="model")


def _fallback(request: RunRequest, reason: str) -> PlanMade:
    message = f"no valid plan, so the prompt runs as one task: {one_line(reason, MAX_REASON)}"
    graph = _as_asked(single_task(request.prompt), request)
    return PlanMade(graph=graph, source="fallback", warnings=(Warned(message=message, code="fallback_plan"),))


def _as_asked(graph: TaskGraph, request: RunRequest) -> TaskGraph:
    return graph.model_copy(update={"assembly": request.assembly}) if request.assembly else graph
