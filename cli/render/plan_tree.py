"""A task graph as a tree, and the estimate of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai3ray.domain.listings import PlanPreview
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.report.format import count, money, one_line, seconds

from ..streams import render_text

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree


def preview_text(preview: PlanPreview, *, width: int | None = None) -> str:
    """Return the graph and its estimate for stdout."""
    cost, length = preview.estimate.get("cost_usd"), preview.estimate.get("seconds")
    price = "cost unknown" if cost is None else f"about {money(cost)}"
    time = "" if length is None else f", {seconds(length)}"
    return f"{render_text(plan_tree(preview.plan), width=width)}Estimate: {price}{time}\n"


def plan_tree(graph: TaskGraph) -> Tree:
    """Return the tree, each task below its deepest dependency, the others named beside it."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(f"{count(len(graph.tasks), 'task')}, assembly {graph.assembly}", style="bold"))
    level: dict[str, int] = {}
    branch: dict[str, Tree] = {}
    for task in graph.topological():
        parent = max(task.depends_on, key=lambda dep: level[dep], default=None)
        level[task.id] = 1 + (level[parent] if parent else 0)
        branch[task.id] = (branch[parent] if parent else tree).add(_label(task, parent))
    return tree


def _label(task: Task, parent: str | None) -> Text:
    from rich.text import Text

    label = Text(task.id, style="bold cyan")
    if task.title != task.id:
        label.append(f"  {one_line(task.title)}", style="default")
    also = [dep for dep in task.depends_on if dep != parent]
    details = [task.kind, task.output, task.tier, *([f"also after {', '.join(also)}"] if also else [])]
    label.append(f"  {', '.join(details)}", style="dim")
    return label
