"""The task graph: written by planners, read by `--plan`, run by the conductor."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from ai3ray.domain.assembly import ASSEMBLIES, Assembly
from ai3ray.domain.frozen import Frozen, writable
from ai3ray.errors import PlanError, first_problem

Kind = Literal["writing", "analysis", "coding", "extraction", "translation", "summarization", "reasoning", "other"]
OutputFormat = Literal["text", "markdown", "json", "code"]
Tier = Literal["small", "standard", "frontier"]


KINDS: tuple[Kind, ...] = get_args(Kind)
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
MAX_PROBLEMS = 8
"""Most problems that one error names."""
MAX_QUOTED = 80
"""Most characters of a foreign value that an error quotes."""


class Checks(Frozen):
    """Additional checks of one task's answer; only plan files set them."""

    min_words: int | None = Field(default=None, ge=0)
    max_words: int | None = Field(default=None, ge=1)
    must_include: tuple[str, ...] = ()
    """Texts that must occur, in any case."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema of the answer, which is then parsed as JSON."""


# Planners see the fields' descriptions (`planner.schema`); a change makes providers compile the schema anew.
class Task(Frozen):
    """One piece of work for one model."""

    id: str
    """Unique in the graph: a letter or digit, then up to 63 of letters, digits, `_`, `.`, `-`."""
    title: str = ""
    """A few words for people; the id when absent."""
    prompt: str
    """What the model is asked, self-contained but for the outputs of its dependencies."""
    kind: Kind = "other"
    """What sort of work it is; the router learns per kind."""
    depends_on: tuple[str, ...] = ()
    """Ids of the tasks whose outputs this one reads."""
    output: OutputFormat = "text"
    """The form of the answer."""
    tier: Tier = "standard"
    """How strong a model it wants: a term of the routing score, never a filter."""
    checks: Checks | None = None
    """Additional checks; only plan files set them."""


class TaskGraph(Frozen):
    """An acyclic graph of tasks, and how their outputs become one answer."""

    tasks: tuple[Task, ...]
    """In the order in which concat joins them."""
    assembly: Assembly
    """How the outputs become the answer."""

    def task(self, task_id: str) -> Task:
        """Return the task of this id; raise KeyError if there is none."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)

    def sinks(self) -> tuple[Task, ...]:
        """Return the tasks without dependents, in plan order."""
        needed = {dep for task in self.tasks for dep in task.depends_on}
        return tuple(task for task in self.tasks if task.id not in needed)

    def topological(self) -> tuple[Task, ...]:
        """Return all tasks, each after its dependencies, otherwise in plan order."""
        by_id = {task.id: task for task in self.tasks}
        return tuple(by_id[task_id] for task_id in _topological_ids(self.tasks))


def single_task(prompt: str, *, title: str = "answer", output: OutputFormat = "text") -> TaskGraph:
    """Return a graph of one task, the prompt itself: the fallback plan, and the plan of `--no-plan`."""
    return TaskGraph(tasks=(Task(id="answer", title=title, prompt=prompt, output=output),), assembly="last")


def parse_graph(data: object, *, max_tasks: int) -> TaskGraph:
    """Parse a task graph leniently, fill in defaults, and check it.

    Args:
        data: the decoded JSON; each task needs only `id` and `prompt`.
        max_tasks: the most tasks allowed.

    Raises:
        PlanError: in one line, every invalid task with its problem.
    """
    if not isinstance(data, Mapping):
        raise PlanError(f"a plan is a JSON object with a list 'tasks', not {_json_type(data)}", "plan")
    raw_tasks = data.get("tasks")
    if not isinstance(raw_tasks, Sequence) or isinstance(raw_tasks, str):
        raise PlanError("a plan needs a list 'tasks'", "plan")
    if not raw_tasks:
        raise PlanError("a plan needs at least one task", "plan")
    if len(raw_tasks) > max_tasks:
        raise PlanError(f"the plan has {len(raw_tasks)} tasks, more than max_tasks = {max_tasks}", "plan")
    tasks = _parse_tasks(raw_tasks)
    _raise_for(_id_problems(tasks))
    _topological_ids(tasks)
    assembly = data.get("assembly")
    if assembly is None:
        assembly = default_assembly(tasks)
    if assembly not in ASSEMBLIES:
        shown = _quoted(assembly) if isinstance(assembly, str) else _json_type(assembly)
        raise PlanError(f"assembly is {shown}; it is one of {', '.join(ASSEMBLIES)}", "plan")
    return TaskGraph(tasks=tasks, assembly=assembly)


def default_assembly(tasks: Sequence[Task]) -> Assembly:
    """Return `last` when exactly one task has no dependents, else `concat`."""
    needed = {dep for task in tasks for dep in task.depends_on}
    return "last" if sum(task.id not in needed for task in tasks) == 1 else "concat"


def graph_json(graph: TaskGraph) -> str:
    """Return the graph as indented JSON for `--plan`."""
    return json.dumps(graph.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False)


def _parse_tasks(raw_tasks: Sequence[object]) -> tuple[Task, ...]:
    tasks: list[Task] = []
    problems: list[str] = []
    for position, raw in enumerate(raw_tasks, 1):
        try:
            tasks.append(_parse_task(raw, position))
        except PlanError as error:
            problems.append(str(error))
    _raise_for(problems)
    return tuple(tasks)


def _raise_for(problems: Sequence[str]) -> None:
    """Raise all problems of a kind at once, so that one repair can fix them all."""
    if problems:
        more = f"; and {len(problems) - MAX_PROBLEMS} more" if len(problems) > MAX_PROBLEMS else ""
        raise PlanError("; ".join(problems[:MAX_PROBLEMS]) + more, "plan")


def _parse_task(raw: object, position: int) -> Task:
    if not isinstance(raw, Mapping):
        raise PlanError(f"task {position} is {_json_type(raw)}, not an object", "plan")
    name = raw.get("id")
    label = f"task {_quoted(name)}" if isinstance(name, str) else f"task {position}"
    known = {key: value for key, value in raw.items() if key in Task.model_fields and value is not None}
    try:
        task = Task.model_validate(known)
    except ValidationError as error:
        raise PlanError(f"{label}: {first_problem(error).message}", "plan") from error
    if not TASK_ID.fullmatch(task.id):
        raise PlanError(f"{label}: an id is a letter or digit, then up to 63 of letters, digits, '_', '.', '-'", "plan")
    if not writable(task):
        raise PlanError(f"{label}: it contains text that is not valid Unicode", "plan")
    if not task.prompt.strip():
        raise PlanError(f"{label}: its prompt is empty", "plan")
    depends_on = tuple(dict.fromkeys(task.depends_on))
    return task.model_copy(update={"title": task.title.strip() or task.id, "depends_on": depends_on})


def _id_problems(tasks: Sequence[Task]) -> list[str]:
    known = {task.id for task in tasks}
    seen: set[str] = set()
    problems: list[str] = []
    for task in tasks:
        label = f"task {task.id!r}"
        if task.id in seen:
            problems.append(f"{label}: the id is used twice")
        seen.add(task.id)
        if task.id in task.depends_on:
            problems.append(f"{label}: depends on itself")
        unknown = (dep for dep in task.depends_on if dep not in known)
        problems.extend(f"{label}: depends on {_quoted(dep)}, which is not in the plan" for dep in unknown)
    return problems


def _topological_ids(tasks: Sequence[Task]) -> tuple[str, ...]:
    """Sort by Kahn's algorithm, ready tasks in plan order; raise PlanError naming a cycle."""
    position = {task.id: place for place, task in enumerate(tasks)}
    waiting = {task.id: set(task.depends_on) for task in tasks}
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for dep in task.depends_on:
            dependents[dep].append(task.id)
    ready = [position[task_id] for task_id, deps in waiting.items() if not deps]  # ascending, so it is a heap
    order: list[str] = []
    while ready:
        task_id = tasks[heapq.heappop(ready)].id
        order.append(task_id)
        for dependent in dependents[task_id]:
            waiting[dependent].discard(task_id)
            if not waiting[dependent]:
                heapq.heappush(ready, position[dependent])
    if len(order) < len(tasks):
        cycle = _cycle(tasks, set(order))
        shown = cycle if len(cycle) <= 2 * MAX_PROBLEMS else [*cycle[:MAX_PROBLEMS], "…", *cycle[-MAX_PROBLEMS:]]
        raise PlanError(f"the tasks form a cycle: {' -> '.join(shown)}", "plan")
    return tuple(order)


def _cycle(tasks: Sequence[Task], done: set[str]) -> list[str]:
    deps = {task.id: [dep for dep in task.depends_on if dep not in done] for task in tasks if task.id not in done}
    path = [next(iter(deps))]
    while path[-1] not in path[:-1]:
        path.append(deps[path[-1]][0])
    return path[path.index(path[-1]) :]


def _json_type(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _quoted(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= MAX_QUOTED else f"{shown[:MAX_QUOTED]}…"
