"""Draw the model calls over time: a Gantt chart with a row per task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ai3ray.domain.run import seconds_between
from ai3ray.report.format import clipped, money, one_line, seconds
from ai3ray.report.graph import svg_figure
from ai3ray.report.markup import Markup, joined, tag

if TYPE_CHECKING:
    from ai3ray.domain.call import Attempt
    from ai3ray.report.run_history import RunHistory

ROLES = ("plan", "task", "judge", "repair", "assemble")
NAMES_W, CHART_W, END_W = 240.0, 730.0, 50.0
ROW_H, BAR_H, AXIS_H = 24.0, 14.0, 22.0
MIN_BAR_W = 2.0  # keeps an instant call visible
_NAME_CHARS = 31
_TICKS = 8


@dataclass(frozen=True)
class CallBar:
    """One call."""

    call: Attempt
    start: float
    """Seconds since the run was accepted."""
    end: float


@dataclass(frozen=True)
class TimelineRow:
    """The calls of one task, or those of the planner or the assembler."""

    name: str
    bars: Sequence[CallBar]


def timeline_figure(history: RunHistory) -> Markup:
    """Return every call as a bar, and the meaning of the colours."""
    timeline = timeline_rows(history)
    if not timeline:
        return tag("p", "No model was called.", class_="note")
    span = max(bar.end for row in timeline for bar in row.bars) or 1.0
    scale = CHART_W / span
    height = AXIS_H + len(timeline) * ROW_H
    rows = (_row(row, AXIS_H + at * ROW_H, scale) for at, row in enumerate(timeline))
    content = joined(_grid(span, scale, height), *rows)
    return joined(_legend(history.attempts), svg_figure("Calls over time", NAMES_W + CHART_W + END_W, height, content))


def timeline_rows(history: RunHistory) -> list[TimelineRow]:
    """Return the calls by task: the planner's first, the assembler's last, the others by start."""
    titles = {task.id: task.title for task in history.result.tasks}
    calls: dict[tuple[int, str], list[CallBar]] = {}
    for bar in _bars(history):
        call = bar.call
        key = (1, call.task_id) if call.task_id else (0, "plan") if call.role == "plan" else (2, call.role)
        calls.setdefault(key, []).append(bar)
    order = sorted(calls.items(), key=lambda item: (item[0][0], item[1][0].start))
    return [TimelineRow(titles.get(name, name) if group == 1 else name, bars) for (group, name), bars in order]


def _bars(history: RunHistory) -> Iterator[CallBar]:
    end_of_run = history.result.stats.seconds
    for call in history.attempts:
        start = seconds_between(history.started_at, call.started_at)
        if start is not None:
            end = start + call.seconds if call.seconds is not None else max(start, end_of_run)
            yield CallBar(call, start, end)


def _row(row: TimelineRow, y: float, scale: float) -> Markup:
    name = clipped(one_line(row.name), _NAME_CHARS)
    bars = joined(*(_bar(bar, y + (ROW_H - BAR_H) / 2, scale) for bar in row.bars))
    last = max(bar.end for bar in row.bars)
    worked = seconds(last - row.bars[0].start)
    return joined(
        tag("text", name, tag("title", one_line(row.name)), x=NAMES_W - 10, y=y + 16, class_="name"),
        bars,
        tag("text", worked, x=NAMES_W + last * scale + 6, y=y + 16, class_="worked"),
    )


def _bar(bar: CallBar, y: float, scale: float) -> Markup:
    call = bar.call
    width = max((bar.end - bar.start) * scale, MIN_BAR_W)
    x = NAMES_W + bar.start * scale
    kind = f"bar {call.role}{'' if call.status == 'succeeded' else ' unsuccessful'}"
    ended = call.status if call.error_type is None else f"{call.status}: {call.error_type}"
    hint = f"{call.role} {call.n}, {call.model}, {ended}, {seconds(call.seconds)}, {money(call.cost_usd)}"
    return tag("rect", tag("title", hint), x=x, y=y, width=width, height=BAR_H, rx=2, class_=kind)


def _grid(span: float, scale: float, height: float) -> Markup:
    step = _step(span)
    marks: list[Markup] = []
    for n in range(math.floor(span / step + 1e-9) + 1):
        x = NAMES_W + step * n * scale
        marks.append(tag("line", x1=x, x2=x, y1=AXIS_H - 4, y2=height))
        marks.append(tag("text", _clock(step * n), x=x, y=AXIS_H - 10, class_="tick"))
    return tag("g", *marks, class_="grid")


def _step(span: float) -> float:
    """Return a round number of seconds for at most `_TICKS` marks."""
    rough = span / _TICKS
    for unit in (1.0, 60.0, 3600.0):
        for number in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30) if unit == 1 else (1, 2, 5, 10, 15, 30):
            if number * unit >= rough:
                return number * unit
    return math.ceil(rough / 3600) * 3600.0


def _clock(at: float) -> str:
    if at < 60:
        return f"{at:g} s"
    minutes, rest = divmod(round(at), 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def _legend(calls: Sequence[Attempt]) -> Markup:
    seen = {call.role for call in calls}
    items = [_key(role, f"bar {role}") for role in ROLES if role in seen]
    if any(call.status != "succeeded" for call in calls):
        items.append(_key("unsuccessful", "bar task unsuccessful"))
    return tag("p", *items, class_="legend")


def _key(name: str, kind: str) -> Markup:
    swatch = tag("svg", tag("rect", width=14, height=10, rx=2, class_=kind), width=14, height=10, aria_hidden="true")
    return tag("span", swatch, f" {name}")
