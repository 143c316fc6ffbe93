"""The port of a way to make one answer from many outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.prompts.asking import Asking


class Parts(NamedTuple):
    """What a run has made, to be assembled."""

    graph: TaskGraph
    """The plan; the outputs of its sinks are the parts of the answer."""
    outputs: Mapping[str, str]
    """Output of each task that has one, by id."""
    holes: Mapping[str, str]
    """Why there is none, by id of each other task."""
    prompt: str = ""
    """The prompt of the run."""
    fence: str = ""
    """A random word that no text can know; it marks data in prompts."""


Assemble = Callable[[Parts], Asking[str]]
"""Makes the answer. Raises AnswerRejected when what its model wrote cannot be the answer."""


class Strategy(NamedTuple):
    """One way to make the answer."""

    assemble: Assemble
    """Makes the answer."""
    section: Callable[[Task, Mapping[str, str], Mapping[str, str]], str] | None = None
    """Makes one part as it will stand in the answer, from outputs and holes; None when no part is certain early."""


def in_code(join: Callable[[Parts], str]) -> Assemble:
    """Make a strategy of a function that asks no model."""

    def assemble(parts: Parts) -> Asking[str]:
        yield from ()
        return join(parts)

    return assemble
