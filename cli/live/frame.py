"""One picture of a run: heading, tree, progress bar, fitted to the terminal."""

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
"""Cells that a task's name gets before columns are left out for it."""
MODEL_CELLS, NOTE_CELLS, BAR_CELLS = 26, 22, 30
GAP = 2
FINAL_ROWS = 50
"""Lines of tasks that the last picture may have although the screen is lower."""

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
    """What the picture is drawn with."""

    marks: dict[str, str]
    """One for each status."""
    beats: str
    """The spinner's phases."""
    guides: dict[str, str]
    """The tree's lines."""
    bar: tuple[str, str]
    """A cell of the progress bar, done and to do."""
    after: str
    """Stands before further dependencies."""


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
    """Where and when it is drawn."""

    width: int
    """Cells of a line."""
    height: int
    """Lines of the terminal."""
    now: str
    """The time, as a UTC time stamp."""
    beat: int | None = None
    """Phase of the spinner; None when nothing goes on any more."""
    stays: bool = False
    """Whether it is the last picture, which may be longer than the screen."""
    glyphs: Glyphs = UNICODE
    """What can be drawn."""

    def mark(self, status: str) -> Text:
        """The mark of a status; what goes on moves."""
        moves = status == "running" and self.beat is not None
        mark = self.glyphs.beats[(self.beat or 0) % len(self.glyphs.beats)] if moves else self.glyphs.marks[status]
        return Text(mark, style="cyan" if status == "running" else STYLES[status])


def frame(run: LiveRun, canvas: Canvas) -> list[Text]:
    """The picture's lines, none wider than the canvas, and fewer than it is high unless it stays.

    A run that has no plan yet is a spinner; once it has ended without one there is nothing to see.
    """
    tasks = run.lines(canvas.now)
    if not tasks:
        return [] if canvas.beat is None else [_cut(_preparing(run, canvas), canvas.width)]
    room = max(1, canvas.height - 3)  # heading, bar, and a line that keeps the terminal from scrolling
    if canvas.stays:
        room = max(room, FINAL_ROWS)
    fits = visible_tasks(tasks, room)
    hidden = [_hidden(status, number, canvas) for status, number in fits.hidden.items()]
    lines = [_heading(run), *_table(fits.branches, canvas), *hidden, _bar(run.totals(canvas.now), canvas)]
    return [_cut(line, canvas.width) for line in lines]


def _preparing(run: LiveRun, canvas: Canvas) -> Text:
    status = "starting" if run.status == "new" else run.status
    by = f" with {one_line(run.planner)}" if run.planner and status == "planning" else ""
    time = f"  {_whole(run.totals(canvas.now).seconds)}" if run.state.created_at else ""
    return Text.assemble(canvas.mark("running"), f" {status}{by}", (time, "dim"))


def _heading(run: LiveRun) -> Text:
    state = run.state
    assembly = state.assembly or (state.graph.assembly if state.graph else "")
    source = f"plan from {state.plan_source}, " if state.plan_source else ""
    style = "bold " + STYLES.get(run.status, "cyan")
    return Text.assemble((state.run_id, "bold"), "  ", (run.status, style), (f"  {source}{assembly}", "dim"))


def _hidden(status: str, number: int, canvas: Canvas) -> Text:
    words = {"succeeded": "done", "pending": "waiting"}.get(status, status)
    return Text.assemble("  ", canvas.mark(status), (f" {count(number, 'task')} {words}", "dim"))


def _bar(totals: LiveTotals, canvas: Canvas) -> Text:
    lost = f", {totals.lost} lost" if totals.lost else ""
    cost = money(totals.cost_usd) if totals.cost_complete else f"{money(totals.cost_usd)} + ?"
    if totals.budget_usd is not None:
        cost += f" of {dollars(totals.budget_usd)}"
    time = seconds(totals.seconds) if canvas.beat is None else _whole(totals.seconds)
    words = f"{totals.ended}/{count(totals.tasks, 'task')}{lost}  {cost}  {time}"
    cells = min(BAR_CELLS, canvas.width - cell_len(words) - GAP)
    if cells < 5:
        return Text(words)
    done = cells * totals.ended // totals.tasks
    full, empty = canvas.glyphs.bar
    return Text.assemble((full * done, "green"), (empty * (cells - done), "dim"), " " * GAP, words)


def _table(branches: Sequence[TreeRow], canvas: Canvas) -> list[Text]:
    """The tree, and right of it as many columns as there is room for."""
    labels = [_label(branch, canvas) for branch in branches]
    columns = list(zip(*(_cells(branch.task, canvas) for branch in branches), strict=True))
    widths = [max(least, *(cell.cell_len for cell in column)) for least, column in zip(_LEAST, columns, strict=False)]
    longest = max((label.cell_len for label in labels), default=0)
    kept = _kept(widths, canvas.width - min(longest, NAME_CELLS))
    room = canvas.width - sum(widths[place] + GAP for place in kept)
    lines = []
    for row, label in enumerate(labels):
        line = _cut(label, room)
        line.append(" " * (min(room, longest) - line.cell_len))
        for place in kept:
            cell = columns[place][row]
            line.append(" " * (GAP + widths[place] - cell.cell_len) if place in _RIGHT else " " * GAP)
            line.append_text(cell)
            line.append("" if place in _RIGHT else " " * (widths[place] - cell.cell_len))
        lines.append(line)
    return lines


# Places of the columns: model, tokens, cost, note, seconds.
_RIGHT = (1, 2, 4)
_LEAST = (0, 7, 7, 9, 6)
"""Cells they take although nothing stands in them yet, so that the picture does not jump."""
_DROPPED = (1, 0, 2, 3, 4)
"""In which order they are left out of a narrow picture."""


def _cells(task: TaskLine, canvas: Canvas) -> tuple[Text, ...]:
    going = task.status == "running" and canvas.beat is not None
    time = "" if task.seconds is None else _whole(task.seconds) if going else seconds(task.seconds)
    return (
        _cut(Text(one_line(task.model), style="dim"), MODEL_CELLS),
        Text("" if task.tokens is None else f"{task.tokens:,} tok"),
        Text("" if task.cost_usd is None else _cost(task.cost_usd)),
        _cut(Text(one_line(task.note), style=STYLES.get(task.status, "yellow")), NOTE_CELLS),
        Text(time),
    )


def _kept(widths: Sequence[int], room: int) -> list[int]:
    """The places of the columns that fit into the room."""
    kept = [place for place, width in enumerate(widths) if width]  # nothing has a model yet
    for place in _DROPPED:
        if sum(widths[other] + GAP for other in kept) <= room:
            break
        if place in kept:
            kept.remove(place)
    return kept


def _label(branch: TreeRow, canvas: Canvas) -> Text:
    task, glyphs = branch.task, canvas.glyphs
    deepest = max(2, canvas.width // 8)  # levels; a long chain may not push its own names out of the picture
    guide = "".join(glyphs.guides[piece] for piece in branch.guide[-deepest:])
    label = Text.assemble((guide, "dim"), canvas.mark(task.status), " ", (task.id, "bold"))
    if branch.also:
        label.append(f" {glyphs.after} {', '.join(branch.also)}", style="dim")
    if task.title != task.id:
        label.append(f" {one_line(task.title)}")
    return label


def _cut(text: Text, cells: int) -> Text:
    text.truncate(max(1, cells), overflow="ellipsis")
    return text


def _cost(usd: float) -> str:
    """Four digits are enough for one task; a price that they cannot show is not nothing."""
    return f"${usd:.4f}" if usd == 0 or usd >= 0.0001 else money(usd)


def _whole(value: float) -> str:
    """Seconds that still run: without the digits that would only flicker."""
    return seconds(value) if value >= 99.5 else f"{int(value)} s"
