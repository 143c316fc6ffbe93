"""Draw the task graph."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING

from ai3ray.report.format import clipped, money, one_line, seconds
from ai3ray.report.layers import NODE_H, NODE_W, Point, layout
from ai3ray.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from ai3ray.domain.result import TaskResult

MOST_TASKS = 300
"""Larger graphs are not drawn."""
STATUS_MARKS = {"succeeded": "✓", "failed": "✗", "skipped": "○", "cancelled": "■", "running": "▸", "pending": "·"}
_MARGIN = 3.0
_ROOMY = 640.0
_TITLE_CHARS, _DETAIL_CHARS = 22, 28
_LINE_H = 15.0


def graph_figure(tasks: Sequence[TaskResult]) -> Markup:
    """Draw the tasks as boxes that link to their texts, with an arrow from each dependency."""
    if not tasks:
        return tag("p", "There is no plan.", class_="note")
    if len(tasks) > MOST_TASKS:
        return tag("p", f"{len(tasks)} tasks are too many to draw; see the table of tasks.", class_="note")
    known = {task.id for task in tasks}
    drawing = layout({task.id: [dep for dep in task.depends_on if dep in known] for task in tasks})
    boxes = joined(*(_task_box(task, drawing.nodes[task.id]) for task in tasks))
    tip = tag("path", d="M0 0 8 4 0 8z", class_="head")
    places: dict[str, float] = {"refX": 7, "refY": 4, "markerWidth": 7, "markerHeight": 7}
    arrowhead = tag("defs", tag("marker", tip, id="arrow", viewBox="0 0 8 8", orient="auto", **places))
    curves = (_curve(points, down=drawing.down) for points in drawing.edges)
    arrows = tag("g", *(tag("path", d=curve, marker_end="url(#arrow)") for curve in curves), class_="edges")
    return svg_figure("Task graph", drawing.width, drawing.height, arrowhead, arrows, boxes)


def svg_figure(label: str, width: float, height: float, *content: Markup) -> Markup:
    """Return an SVG that is never enlarged; a wide one scrolls instead of becoming too small."""
    box = f"{-_MARGIN:g} {-_MARGIN:g} {width + 2 * _MARGIN:g} {height + 2 * _MARGIN:g}"
    size = {"width": width + 2 * _MARGIN, "height": height + 2 * _MARGIN}
    kind = "wide" if width > _ROOMY else None
    drawn = tag("svg", *content, viewBox=box, role="img", aria_label=label, class_=kind, **size)
    return tag("div", drawn, class_="picture")


def _curve(points: Sequence[Point], *, down: bool) -> str:
    """Return a curve that leaves and enters each point along the layers' direction."""
    start = points[0]
    pieces = [f"M{start.x:.1f} {start.y:.1f}"]
    for a, b in pairwise(points):
        half = Point((a.x + b.x) / 2, (a.y + b.y) / 2)
        first, second = (Point(a.x, half.y), Point(b.x, half.y)) if down else (Point(half.x, a.y), Point(half.x, b.y))
        pieces.append(f"C{first.x:.1f} {first.y:.1f} {second.x:.1f} {second.y:.1f} {b.x:.1f} {b.y:.1f}")
    return "".join(pieces)


def _task_box(task: TaskResult, centre: Point) -> Markup:
    x, y = centre.x - NODE_W / 2, centre.y - NODE_H / 2
    lines = wrap(one_line(task.title), _TITLE_CHARS, max_lines=2, placeholder="…") or [task.id]
    ran = task.status != "skipped" and task.model
    detail = f"{seconds(task.seconds)} · {task.model.partition('/')[2]}" if ran and task.model else task.status
    detail = f"{STATUS_MARKS.get(task.status, '?')} {clipped(detail, _DETAIL_CHARS)}"
    tooltip = f"{task.id}: {task.title} ({task.status}, {task.kind}), {task.model}, {money(task.cost_usd)}"
    first = (NODE_H - len(lines) * _LINE_H) / 2 + 4  # first baseline, with the lines centred in the box
    words = [tag("text", line, x=12, y=first + at * _LINE_H, class_="title") for at, line in enumerate(lines)]
    words.append(tag("text", detail, x=12, y=first + len(lines) * _LINE_H, class_="detail"))
    shapes = joined(
        tag("title", one_line(tooltip)),
        tag("rect", x=x, y=y, width=NODE_W, height=NODE_H, rx=6, class_="card"),
        tag("rect", x=x, y=y + 6, width=4, height=NODE_H - 12, rx=2, class_="mark"),
        tag("svg", *words, x=x, y=y, width=NODE_W - 4, height=NODE_H),  # clips text that a wide font makes too long
    )
    return tag("a", tag("g", shapes, class_=f"node {task.status}"), href=f"#{anchor(task.id)}")


def anchor(task_id: str) -> str:
    """Return the HTML id of a task's text; the point keeps it apart from the sections' ids."""
    return f"text.{task_id}"
