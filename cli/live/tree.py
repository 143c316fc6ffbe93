"""The tasks that fit on the screen, as a tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .live_run import TaskLine

# The order in which tasks keep their place when not all fit, and in which hidden ones are counted.
_KEEP_ORDER = ("failed", "running", "skipped", "cancelled", "pending", "succeeded")
_COUNT_ORDER = ("succeeded", "skipped", "cancelled", "failed", "running", "pending")


@dataclass(frozen=True)
class TreeRow:
    """A task at its place in the tree."""

    task: TaskLine
    guide: str
    """Tree lines before it, per level one of ` │├└`."""
    other_dependencies: tuple[str, ...]
    """Those besides its parent in the tree."""


@dataclass(frozen=True)
class VisibleTasks:
    """The tasks that fit on the screen."""

    rows: tuple[TreeRow, ...]
    hidden: dict[str, int]
    """Hidden tasks by status."""


def visible_tasks(tasks: Sequence[TaskLine], room: int) -> VisibleTasks:
    """Return the tree of the tasks that fit into `room` lines; hidden ones take a line per status."""
    if len(tasks) <= room:
        return VisibleTasks(_tree_rows(tasks), {})
    rank = {status: place for place, status in enumerate(_KEEP_ORDER)}
    by_rank = sorted(tasks, key=lambda task: rank.get(task.status, 0))
    # Succeeded tasks are all hidden, even if some would fit.
    kept = [task for task in by_rank if task.status != "succeeded"]
    hidden = Counter(task.status for task in by_rank if task.status == "succeeded")
    while kept and len(kept) + len(hidden) > max(1, room):
        hidden[kept.pop().status] += 1
    ids = {task.id for task in kept}
    order = {status: place for place, status in enumerate(_COUNT_ORDER)}
    counted = dict(sorted(hidden.items(), key=lambda item: order.get(item[0], 0)))
    return VisibleTasks(_tree_rows([task for task in tasks if task.id in ids]), counted)


def _tree_rows(tasks: Sequence[TaskLine]) -> tuple[TreeRow, ...]:
    """Place each task below its deepest, then last, dependency; siblings in plan order."""
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
        others = tuple(dep for dep in task.depends_on if dep != parent)
        found.append(TreeRow(task, above + ("└" if last else "├"), others))
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
