"""Plan a prompt: one call, at most one repair, else the fallback plan."""

from __future__ import annotations

from typing import NamedTuple

from ai3ray.domain.call import Message, Prompt, Reply
from ai3ray.domain.events import PlanSource, Warned
from ai3ray.domain.plan import TaskGraph, single_task
from ai3ray.domain.request import RunRequest
from ai3ray.errors import PlanError, ProviderError, RunError
from ai3ray.planner.reading import read_plan
from ai3ray.planner.schema import plan_schema
from ai3ray.prompts.asking import Ask, Asking
from ai3ray.prompts.packaged_prompts import filled_prompt, packaged_prompt
from ai3ray.prompts.text import cut, one_line

MAX_SHOWN_REPLY = 24_000
"""Characters of a rejected reply that its repair shows."""
MAX_REASON = 300
"""Characters of the reason in a warning."""


class PlannerSettings(NamedTuple):
    """The settings of planner calls."""

    max_output_tokens: int
    """In tokens; doubled for the repair of a plan that was cut off."""
    temperature: float
    """Sent only to models that accept one."""
    best: str | None = None
    """The first choice when a run names no planner."""


class PlanMade(NamedTuple):
    """A task graph that can be run."""

    graph: TaskGraph
    source: PlanSource
    """`fallback` when no model gave a valid plan."""
    warnings: tuple[Warned, ...] = ()
    """Drafts of the events."""


class _Refused(PlanError):
    """The model refuses to plan; another call of it is pointless."""


def make_plan(request: RunRequest, settings: PlannerSettings) -> Asking[PlanMade]:
    """Plan a request.

    Args:
        request: the request, defaults filled in; its assembly overrides the plan's.
        settings: how planners are called.

    Raises:
        ProviderError: the first call failed on every model that could be tried.
        RunError: no model can be called.
    """
    max_tasks = request.max_tasks or 1
    bound = (request.planner_model,) if request.planner_model else request.models
    prompt = Prompt(
        system=packaged_prompt("planner"),
        messages=(_user("planner_request", request, max_tasks),),
        max_output_tokens=settings.max_output_tokens,
        temperature=settings.temperature,
        json_schema=plan_schema(),
        schema_name="plan",
    )
    ask = Ask(
        prompt,
        role="plan",
        kind="reasoning",
        tier="frontier",
        models=bound,
        first=None if bound else settings.best,
        plans=True,
    )
    first = (yield ask).reply
    try:
        return _made(_read(first, max_tasks), request)
    except _Refused as refused:
        return _fallback(request, str(refused))
    except PlanError as error:
        wrong = error
    shown = cut(first.text, MAX_SHOWN_REPLY) or "(nothing)"
    doubled = 2 if first.finish == "length" else 1
    # One message, because providers refuse a conversation with an empty turn.
    repair = prompt.model_copy(
        update={
            "messages": (_user("planner_repair", request, max_tasks, problems=str(wrong), reply=shown),),
            "max_output_tokens": doubled * prompt.max_output_tokens,
        }
    )
    try:
        second = (yield ask._replace(n=2, prompt=repair)).reply
        return _made(_read(second, max_tasks), request)
    except (PlanError, ProviderError, RunError) as error:
        return _fallback(request, f"{wrong}; after one repair: {error}")


def _read(reply: Reply, max_tasks: int) -> TaskGraph:
    if reply.finish == "refusal":
        raise _Refused(f"{reply.model} refused to plan")
    try:
        return read_plan(reply.text, max_tasks=max_tasks)
    except PlanError as error:
        if reply.finish == "length":
            raise PlanError("the reply was cut off at the output limit: write fewer tasks, shorter prompts") from error
        raise


def _user(name: str, request: RunRequest, max_tasks: int, **slots: str) -> Message:
    """Build the user's turn; context is named, not shown, so that it cannot steer the plan."""
    names = ", ".join(f'"{one_line(text.name)}" ({len(text.text):,} characters)' for text in request.context) or "none"
    text = filled_prompt(name, prompt=request.prompt, max_tasks=str(max_tasks), context=names, **slots)
    return Message(role="user", text=text)


def _made(graph: TaskGraph, request: RunRequest) -> PlanMade:
    return PlanMade(graph=_as_asked(graph, request), source="model")


def _fallback(request: RunRequest, reason: str) -> PlanMade:
    message = f"no valid plan, so the prompt runs as one task: {one_line(reason, MAX_REASON)}"
    graph = _as_asked(single_task(request.prompt), request)
    return PlanMade(graph=graph, source="fallback", warnings=(Warned(message=message, code="fallback_plan"),))


def _as_asked(graph: TaskGraph, request: RunRequest) -> TaskGraph:
    return graph.model_copy(update={"assembly": request.assembly}) if request.assembly else graph
