"""A run's events as one growing answer: which pieces an OpenAI client may be shown, and when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from ai3ray.assembler.strategies import STRATEGIES
from ai3ray.domain.assembly import Assembly
from ai3ray.domain.events import (
    AssembleStart,
    Event,
    Final,
    PlanProgress,
    TaskArtifact,
    TaskFailed,
    TaskRepaired,
    TaskRetry,
    TaskSkipped,
    TextDelta,
)
from ai3ray.domain.plan import TaskGraph, parse_graph

WITHDRAWN = "\n\n---\nThe text above did not pass its checks. The checked answer:\n\n"
"""Said when text that was shown already turns out not to be the answer: sent text cannot be taken back."""


class AnswerStream:
    """Turns events into pieces of the answer.

    One author's answer, and one that a model merges, is shown as it is written. The sections of a joined one
    are shown whole, each when it has passed its checks and those before it are there. Whatever has not been
    shown by then comes with the run's `final`.

    Args:
        assembly: how the request wants the outputs to become one answer; the plan's own way when absent.
    """

    def __init__(self, assembly: Assembly | None = None) -> None:
        self._wanted = assembly
        self._graph: TaskGraph | None = None
        self._live: str | None = None
        self._outputs: dict[str, str] = {}
        self._holes: dict[str, str] = {}
        self._shown = ""
        self._held = ""
        self._spoiled = False

    def feed(self, event: Event) -> Iterator[str]:
        """The pieces that this event adds to the answer, often none."""
        match event:
            case PlanProgress(phase="completed"):
                self._planned(event)
            case TextDelta() if self._is_live(event):
                yield from self._show(event.text)
            case TaskRetry() | TaskRepaired() if event.task_id == self._live:
                self._spoiled = self._spoiled or bool(self._shown or self._held)
            case TaskArtifact():
                self._outputs[event.task_id or ""] = event.text
                yield from self._sections()
            case TaskFailed() | TaskSkipped():
                why = event.error.message if isinstance(event, TaskFailed) else event.because
                self._holes[event.task_id or ""] = why
                yield from self._sections()
            case AssembleStart():
                self._live = "" if not self._shown else None
            case Final():
                yield from self._rest(event.output)

    def _planned(self, event: PlanProgress) -> None:
        plan = event.plan or {}
        self._graph = parse_graph(plan, max_tasks=max(1, len(plan.get("tasks", ()))))
        sinks = self._graph.sinks()
        if len(sinks) == 1:
            self._live = sinks[0].id

    def _is_live(self, delta: TextDelta) -> bool:
        if self._live is None or self._spoiled:
            return False
        return (delta.task_id or "") == self._live and (delta.type == "assemble_delta") == (self._live == "")

    def _sections(self) -> Iterator[str]:
        """The sections of a joined answer, up to the first that is not certain yet."""
        graph = self._graph
        if graph is None or self._live is not None:
            return
        section = STRATEGIES[self._wanted or graph.assembly].section
        if section is None:
            return
        certain = takewhile(lambda task: task.id in self._outputs or task.id in self._holes, graph.sinks())
        text = "\n\n".join(section(task, self._outputs, self._holes) for task in certain)
        yield from self._show(text[len(self._shown + self._held) :])

    def _show(self, text: str) -> Iterator[str]:
        """Pass text on, but for white space at its end: the whole answer may not have it."""
        text = self._held + text
        self._held = text[len(text.rstrip()) :]
        piece = text[: len(text) - len(self._held)]
        if not self._shown:
            piece = piece.lstrip()
        if piece:
            self._shown += piece
            yield piece

    def _rest(self, output: str) -> Iterator[str]:
        if not self._spoiled and output.startswith(self._shown):
            rest = output[len(self._shown) :]
            self._shown = output
            if rest:
                yield rest
        elif self._spoiled or output.strip() not in self._shown:
            # What was shown may hold more than the answer, such as pleasantries around it: that is no other answer.
            yield WITHDRAWN + output
