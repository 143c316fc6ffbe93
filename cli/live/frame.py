"""One frame of the live view: heading, tree, progress bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from ai3ray.domain.money import dollars
from ai3ray.report.format import count, money, one_line, seconds

from .live_run import LiveRun, LiveTotals, TaskLine
from .tree import TreeRow, visible_tasks

NAME_CELLS = 20
"""Cells kept for a task's name; columns give way."""
MODEL_CELLS, NOTE_CELLS, BAR_CELLS = 26, 22, 30
GAP = 2
FINAL_ROWS = 50
"""Task lines of the last frame, even on a lower screen."""

STYLES = {
    "succeeded": "green",
    "failed": "red",
    "skipped": "yellow",
    "cancelled": "yellow",
    "partial": "yellow",
    "pending": "dim",
}


@dataclass(frozen=True)
class Glyphs:
    """The characters of a frame."""

    marks: dict[str, str]
    """One per status."""
    spinner: str
    guides: dict[str, str]
    """Lines of the tree, by character of `TreeRow.guide`."""
    bar: tuple[str, str]
    """A done and an open cell of the progress bar."""
    arrow: str
    """Sign before further dependencies."""


UNICODE = Glyphs(
    {"pending": "○", "running": "●", "succeeded": "✔", "failed": "✘", "skipped": "◌", "cancelled": "■"},
    "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏",
    {" ": "  ", "│": "│ ", "├": "├ ", "└": "└ "},
    ("━", "─"),
    "←",
)
ASCII = Glyphs(
    {"pending": ".", "running": "*", "succeeded": "+", "failed": "x", "skipped": "-", "cancelled": "!"},
    "|/-\\",
    {" ": "   ", "│": "|  ", "├": "|- ", "└": "`- "},
    ("#", "-"),
    "<-",
)


@dataclass(frozen=True)
class Canvas:
    """The space and the time of a frame."""

    width: int
    height: int
    now: str
    """The time, as a UTC time stamp."""
    phase: int | None = None
    """Spinner phase; None after the run's end."""
    final: bool = False
    """The last frame may be longer than the screen."""
    glyphs: Glyphs = UNICODE

    def mark(self, status: str) -> Text:
        """Return a status's mark; a running task has the spinner."""
        spinner = self.glyphs.spinner
        moves = status == "running" and self.phase is not None
        mark = spinner[(self.phase or 0) % len(spinner)] if moves else self.glyphs.marks[status]
        return Text(mark, style="cyan" if status == "running" else STYLES[status])


def frame(run: LiveRun, canvas: Canvas) -> list[Text]:
    """Return lines that fit the canvas; only the last frame may be higher.

    A run without a plan is a spinner, and nothing after its end.
    """
    tasks = run.lines(canvas.now)
    if not tasks:
        return [] if canvas.phase is None else [_cut(_preparing(run, canvas), canvas.width)]
    room = max(1, canvas.height - 3)  # heading, bar, and a line that keeps the terminal from scrolling
    if canvas.final:
        room = max(room, FINAL_ROWS)
    fits = visible_tasks(tasks, room)
    words = {"succeeded": "done", "pending": "waiting"}
    hidden = [
        Text.assemble("  ", canvas.mark(status), (f" {count(number, 'task')} {words.get(status, status)}", "dim"))
        for status, number in fits.hidden.items()
    ]
    lines = [_heading(run), *_table(fits.rows, canvas), *hidden, _bar(run.totals(canvas.now), canvas)]
    return [_cut(line, canvas.width) for line in lines]


def _preparing(run: LiveRun, canvas: Canvas) -> Text:
    status = "starting" if run.status == "new" else run.status
    by = f" with {one_line(run.planner)}" if run.planner and status == "planning" else ""
    time = f"  {_running_seconds(run.totals(canvas.now).seconds)}" if run.state.created_at else ""
    return Text.assemble(canvas.mark("running"), f" {status}{by}", (time, "dim"))


def _heading(run: LiveRun) -> Text:
    state = run.state
    assembly = state.assembly or (state.graph.assembly if state.graph else "")
    source = f"plan from {state.plan_source}, " if state.plan_source else ""
    style = "bold " + STYLES.get(run.status, "cyan")
    return Text.assemble((state.run_id, "bold"), "  ", (run.status, style), (f"  {source}{assembly}", "dim"))


def _bar(totals: LiveTotals, canvas: Canvas) -> Text:
    lost = f", {totals.lost} lost" if totals.lost else ""
    cost = money(totals.cost_usd) if totals.cost_complete else f"{money(totals.cost_usd)} + ?"
    if totals.budget_usd is not None:
        cost += f" of {dollars(totals.budget_usd)}"
    time = seconds(totals.seconds) if canvas.phase is None else _running_seconds(totals.seconds)
    figures = f"{totals.ended}/{count(totals.tasks, 'task')}{lost}  {cost}  {time}"
    cells = min(BAR_CELLS, canvas.width - cell_len(figures) - GAP)
    if cells < 5:
        return Text(figures)
    done = cells * totals.ended // totals.tasks
    full, empty = canvas.glyphs.bar
    return Text.assemble((full * done, "green"), (empty * (cells - done), "dim"), " " * GAP, figures)


def _table(rows: Sequence[TreeRow], canvas: Canvas) -> list[Text]:
    """Return the tree and the columns that fit beside it."""
    labels = [_label(row, canvas) for row in rows]
    columns = list(zip(*(_cells(row.task, canvas) for row in rows), strict=True))
    widths = [
        max(least, *(cell.cell_len for cell in column)) for least, column in zip(_MIN_WIDTHS, columns, strict=False)
    ]
    longest = max((label.cell_len for label in labels), default=0)
    kept = _fitting_columns(widths, canvas.width - min(longest, NAME_CELLS))
    room = canvas.width - sum(widths[place] + GAP for place in kept)
    lines = []
    for number, label in enumerate(labels):
        line = _cut(label, room)
        line.append(" " * (min(room, longest) - line.cell_len))
        for place in kept:
            cell = columns[place][number]
            line.append(" " * (GAP + widths[place] - cell.cell_len) if place in _RIGHT_ALIGNED else " " * GAP)
            line.append_text(cell)
            line.append("" if place in _RIGHT_ALIGNED else " " * (widths[place] - cell.cell_len))
        lines.append(line)
    return lines


# Places of the columns: model, tokens, cost, note, seconds.
_RIGHT_ALIGNED = (1, 2, 4)
_MIN_WIDTHS = (0, 7, 7, 9, 6)
"""Cells of an empty column, so that the frame does not jump."""
_DROP_ORDER = (1, 0, 2, 3, 4)
"""Columns left out first in a narrow frame."""


def _cells(task: TaskLine, canvas: Canvas) -> tuple[Text, ...]:
    running = task.status == "running" and canvas.phase is not None
    time = "" if task.seconds is None else _running_seconds(task.seconds) if running else seconds(task.seconds)
    return (
        _cut(Text(one_line(task.model), style="dim"), MODEL_CELLS),
        Text("" if task.tokens is None else f"{task.tokens:,} tok"),
        Text("" if task.cost_usd is None else _cost(task.cost_usd)),
        _cut(Text(one_line(task.note), style=STYLES.get(task.status, "yellow")), NOTE_CELLS),
        Text(time),
    )


def _fitting_columns(widths: Sequence[int], room: int) -> list[int]:
    """Return the columns that fit into `room` cells."""
    kept = [place for place, width in enumerate(widths) if width]  # an empty column, such as the models at first
    for place in _DROP_ORDER:
        if sum(widths[other] + GAP for other in kept) <= room:
            break
        if place in kept:
            kept.remove(place)
    return kept


def _label(row: TreeRow, canvas: Canvas) -> Text:
    task, glyphs = row.task, canvas.glyphs
    deepest = max(2, canvas.width // 8)  # levels; a long chain may not push its names out of the frame
    guide = "".join(glyphs.guides[piece] for piece in row.guide[-deepest:])
    label = Text.assemble((guide, "dim"), canvas.mark(task.status), " ", (task.id, "bold"))
    if row.other_dependencies:
        label.append(f" {glyphs.arrow} {', '.join(row.other_dependencies)}", style="dim")
    if task.title != task.id:
        label.append(f" {one_line(task.title)}")
    return label


def _cut(text: Text, cells: int) -> Text:
    text.truncate(max(1, cells), overflow="ellipsis")
    return text


def _cost(usd: float) -> str:
    """Return four digits, or more where those would show 0."""
    return f"${usd:.4f}" if usd == 0 or usd >= 0.0001 else money(usd)


def _running_seconds(value: float) -> str:
    """Return a growing time in whole seconds, so that its digits do not flicker."""
    return seconds(value) if value >= 99.5 else f"{int(value)} s"
