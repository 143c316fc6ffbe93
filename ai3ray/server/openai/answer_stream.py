"""Turn a run's events into a streamed answer for OpenAI clients."""

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
"""Sent before the final answer when the text sent so far is not part of it."""


class AnswerStream:
    """Turns events into pieces of the answer.

    An answer of one task, or one merged by a model, is sent while it is written. The sections of a concatenated
    answer are sent in order, each when it has passed its checks. The rest is sent at the run's `final`.

    Args:
        assembly: that of the request; the plan's when None.
    """

    def __init__(self, assembly: Assembly | None = None) -> None:
        self._assembly = assembly
        self._graph: TaskGraph | None = None
        self._live: str | None = None
        self._outputs: dict[str, str] = {}
        self._holes: dict[str, str] = {}
        self._sent = ""
        self._held = ""
        self._withdrawn = False

    def feed(self, event: Event) -> Iterator[str]:
        """Yield the pieces that an event adds to the answer."""
        match event:
            case PlanProgress(phase="completed"):
                plan = event.plan or {}
                self._graph = parse_graph(plan, max_tasks=max(1, len(plan.get("tasks", ()))))
                sinks = self._graph.sinks()
                self._live = sinks[0].id if len(sinks) == 1 else self._live
            case TextDelta() if self._is_live(event):
                yield from self._send(event.text)
            case TaskRetry() | TaskRepaired() if event.task_id == self._live:
                self._withdrawn = self._withdrawn or bool(self._sent or self._held)
            case TaskArtifact():
                self._outputs[event.task_id or ""] = event.text
                yield from self._sections()
            case TaskFailed() | TaskSkipped():
                reason = event.error.message if isinstance(event, TaskFailed) else event.because
                self._holes[event.task_id or ""] = reason
                yield from self._sections()
            case AssembleStart():
                self._live = "" if not self._sent else None
            case Final():
                yield from self._rest(event.output)

    def _is_live(self, delta: TextDelta) -> bool:
        if self._live is None or self._withdrawn:
            return False
        return (delta.task_id or "") == self._live and (delta.type == "assemble_delta") == (self._live == "")

    def _sections(self) -> Iterator[str]:
        """Yield the finished sections of a concatenated answer, up to the first unfinished one."""
        graph = self._graph
        if graph is None or self._live is not None:
            return
        section = STRATEGIES[self._assembly or graph.assembly].section
        if section is None:
            return
        finished = takewhile(lambda task: task.id in self._outputs or task.id in self._holes, graph.sinks())
        text = "\n\n".join(section(task, self._outputs, self._holes) for task in finished)
        yield from self._send(text[len(self._sent + self._held) :])

    def _send(self, text: str) -> Iterator[str]:
        """Yield text, but hold back trailing white space, since the final answer is stripped."""
        text = self._held + text
        self._held = text[len(text.rstrip()) :]
        piece = text[: len(text) - len(self._held)]
        if not self._sent:
            piece = piece.lstrip()
        if piece:
            self._sent += piece
            yield piece

    def _rest(self, output: str) -> Iterator[str]:
        if not self._withdrawn and output.startswith(self._sent):
            rest = output[len(self._sent) :]
            self._sent = output
            if rest:
                yield rest
        elif self._withdrawn or output.strip() not in self._sent:
            # Text around the answer, such as a greeting, does not make it a different answer.
            yield WITHDRAWN + output
