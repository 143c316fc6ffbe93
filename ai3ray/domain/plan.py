"""The task graph: what a planner writes, what `--plan` reads, what the conductor runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError

from ai3ray.domain.frozen import Frozen
from ai3ray.errors import PlanError

Kind = Literal["writing", "analysis", "coding", "extraction", "translation", "summarization", "reasoning", "other"]
OutputFormat = Literal["text", "markdown", "json", "code"]
Tier = Literal["small", "standard", "frontier"]
Assembly = Literal["concat", "synthesize", "last"]

KINDS: tuple[Kind, ...] = get_args(Kind)
TASK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Checks(Frozen):
    """What a plan file may demand of one task's answer, beyond what is always checked."""

    min_words: int | None = Field(default=None, ge=0)
    """Fewest words."""
    max_words: int | None = Field(default=None, ge=1)
    """Most words."""
    must_include: tuple[str, ...] = ()
    """Texts that have to occur, compared without case."""
    json_schema: dict[str, Any] | None = None
    """JSON Schema that the answer has to satisfy; the answer is then read as JSON."""


class Task(Frozen):
    """One model's piece of the work."""

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
    """Extra demands on the answer; only plan files set them."""


class TaskGraph(Frozen):
    """An acyclic graph of tasks and the way their outputs become one answer."""

    tasks: tuple[Task, ...]
    """In the order in which concat joins them."""
    assembly: Assembly
    """How the outputs become the answer."""

    def task(self, task_id: str) -> Task:
        """The task of that id; raises KeyError."""
        return next(task for task in self.tasks if task.id == task_id)

    def sinks(self) -> tuple[Task, ...]:
        """The tasks nobody depends on, in plan order."""
        needed = {dep for task in self.tasks for dep in task.depends_on}
        return tuple(task for task in self.tasks if task.id not in needed)

    def topological(self) -> tuple[Task, ...]:
        """Every task after its dependencies; otherwise in plan order."""
        by_id = {task.id: task for task in self.tasks}
        return tuple(by_id[task_id] for task_id in _topological_ids(self.tasks))


def single_task(prompt: str, *, title: str = "answer", output: OutputFormat = "text") -> TaskGraph:
    """The graph of one task: the prompt itself. The fallback plan, and what `--no-plan` runs."""
    return TaskGraph(tasks=(Task(id="answer", title=title, prompt=prompt, output=output),), assembly="last")


def parse_graph(data: object, *, max_tasks: int) -> TaskGraph:
    """Read a task graph leniently, fill the defaults, check it.

    Args:
        data: what `json.loads` gave; only `id` and `prompt` must be there in each task.
        max_tasks: the most tasks allowed.

    Raises:
        PlanError: naming the task and what is wrong with it.
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
    tasks = tuple(_parse_task(raw, position) for position, raw in enumerate(raw_tasks, 1))
    _check_ids(tasks)
    _topological_ids(tasks)
    assembly = data.get("assembly")
    if assembly is None:
        assembly = default_assembly(tasks)
    if assembly not in get_args(Assembly):
        raise PlanError(f"assembly is {assembly!r}; it is one of {', '.join(get_args(Assembly))}", "plan")
    return TaskGraph(tasks=tasks, assembly=assembly)


def default_assembly(tasks: Sequence[Task]) -> Assembly:
    """`last` when exactly one task has no dependents, else `concat`."""
    needed = {dep for task in tasks for dep in task.depends_on}
    return "last" if sum(task.id not in needed for task in tasks) == 1 else "concat"


def graph_json(graph: TaskGraph) -> str:
    """The graph as the indented JSON that `--plan` reads."""
    return json.dumps(graph.model_dump(mode="json", exclude_none=True), indent=2, ensure_ascii=False)


def _parse_task(raw: object, position: int) -> Task:
    if not isinstance(raw, Mapping):
        raise PlanError(f"task {position} is {_json_type(raw)}, not an object", "plan")
    name = raw.get("id")
    label = f"task {name!r}" if isinstance(name, str) else f"task {position}"
    known = {key: value for key, value in raw.items() if key in Task.model_fields and value is not None}
    try:
        task = Task.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PlanError(f"{label}: {field}: {first['msg']}", "plan") from error
    if not TASK_ID.fullmatch(task.id):
        raise PlanError(f"{label}: an id is a letter or digit, then up to 63 of letters, digits, '_', '.', '-'", "plan")
    if not task.prompt.strip():
        raise PlanError(f"{label}: its prompt is empty", "plan")
    depends_on = tuple(dict.fromkeys(task.depends_on))
    return task.model_copy(update={"title": task.title.strip() or task.id, "depends_on": depends_on})


def _check_ids(tasks: Sequence[Task]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise PlanError(f"task {task.id!r}: the id is used twice", "plan")
        seen.add(task.id)
    for task in tasks:
        for dep in task.depends_on:
            if dep == task.id:
                raise PlanError(f"task {task.id!r}: depends on itself", "plan")
            if dep not in seen:
                raise PlanError(f"task {task.id!r}: depends on {dep!r}, which is not in the plan", "plan")


def _topological_ids(tasks: Sequence[Task]) -> tuple[str, ...]:
    """Kahn's algorithm; raises PlanError naming a cycle."""
    waiting = {task.id: set(task.depends_on) for task in tasks}
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for dep in task.depends_on:
            dependents[dep].append(task.id)
    ready = [task_id for task_id, deps in waiting.items() if not deps]
    order: list[str] = []
    for task_id in ready:  # grows while it is walked
        order.append(task_id)
        for dependent in dependents[task_id]:
            waiting[dependent].discard(task_id)
            if not waiting[dependent]:
                ready.append(dependent)
    if len(order) < len(tasks):
        raise PlanError(f"the tasks form a cycle: {' -> '.join(_cycle(tasks, set(order)))}", "plan")
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
