"""Which tasks a screen has room for, and the tree that their dependencies make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .live_run import TaskLine

# Who is shown when not all can be: what goes wrong and what goes on before what is over or to come.
_FIRST = ("failed", "running", "skipped", "cancelled", "pending", "succeeded")
_OVER = ("succeeded", "skipped", "cancelled", "failed", "running", "pending")


@dataclass(frozen=True)
class TreeRow:
    """One task in its place in the tree."""

    task: TaskLine
    """The task."""
    guide: str
    """The lines that lead to it: per level a character of ` │├└`."""
    also: tuple[str, ...]
    """Its other dependencies; the tree shows only one."""


@dataclass(frozen=True)
class VisibleTasks:
    """What fits."""

    branches: tuple[TreeRow, ...]
    """The tasks that are shown, each below one that it depends on."""
    hidden: dict[str, int]
    """How many tasks of each status are not."""


def visible_tasks(tasks: Sequence[TaskLine], room: int) -> VisibleTasks:
    """The tree of as many tasks as there is room for.

    Args:
        tasks: all tasks in plan order.
        room: lines; what is hidden takes one line per status.
    """
    if len(tasks) <= room:
        return VisibleTasks(_branches(tasks), {})
    rank = {status: place for place, status in enumerate(_FIRST)}
    by_rank = sorted(tasks, key=lambda task: rank.get(task.status, 0))
    # Finished ones give way even where they would fit in part: which of them is of no interest.
    kept = [task for task in by_rank if task.status != "succeeded"]
    hidden = Counter(task.status for task in by_rank if task.status == "succeeded")
    while kept and len(kept) + len(hidden) > max(1, room):
        hidden[kept.pop().status] += 1
    ids = {task.id for task in kept}
    order = {status: place for place, status in enumerate(_OVER)}
    counted = dict(sorted(hidden.items(), key=lambda item: order.get(item[0], 0)))
    return VisibleTasks(_branches([task for task in tasks if task.id in ids]), counted)


def _branches(tasks: Sequence[TaskLine]) -> tuple[TreeRow, ...]:
    """Each task below the deepest, and then last, of its dependencies among these; siblings in plan order."""
    parents = _parents(tasks)
    children: dict[str | None, list[TaskLine]] = {}
    for task in tasks:
        children.setdefault(parents[task.id], []).append(task)
    found: list[TreeRow] = []
    pending = [(task, "") for task in reversed(children.get(None, []))]
    while pending:  # not recursive: a chain may be longer than Python's stack
        task, above = pending.pop()
        parent = parents[task.id]
        last = children[parent][-1] is task
        also = tuple(dep for dep in task.depends_on if dep != parent)
        found.append(TreeRow(task, above + ("└" if last else "├"), also))
        below = above + (" " if last else "│")
        pending += [(child, below) for child in reversed(children.get(task.id, []))]
    return tuple(found)


def _parents(tasks: Sequence[TaskLine]) -> Mapping[str, str | None]:
    known = {task.id: task for task in tasks}
    level: dict[str, int] = {}
    stack = list(tasks)
    while stack:
        task = stack[-1]
        deps = [dep for dep in task.depends_on if dep in known]
        open_ = [known[dep] for dep in deps if dep not in level]
        if open_:
            stack += open_
            continue
        level[task.id] = 1 + max((level[dep] for dep in deps), default=0)
        stack.pop()
    place = {task.id: (level[task.id], number) for number, task in enumerate(tasks)}
    return {
        task.id: max((dep for dep in task.depends_on if dep in known), key=lambda dep: place[dep], default=None)
        for task in tasks
    }
