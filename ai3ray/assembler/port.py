"""The port of an assembly strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.prompts.asking import Asking


class Parts(NamedTuple):
    """The plan and outputs of a run, to be assembled."""

    graph: TaskGraph
    """Its sinks' outputs are the parts of the answer."""
    outputs: Mapping[str, str]
    """By task id."""
    holes: Mapping[str, str]
    """The reason for each missing output, by task id."""
    prompt: str = ""
    """The run's."""
    fence: str = ""
    """A random word that marks data in prompts."""


Assemble = Callable[[Parts], Asking[str]]
"""Makes the answer. Raises AnswerRejected when the model's text cannot be the answer."""


class Strategy(NamedTuple):
    """One way to make the answer."""

    assemble: Assemble
    section: Callable[[Task, Mapping[str, str], Mapping[str, str]], str] | None = None
    """Makes one part of the final answer early, from outputs and holes."""


def in_code(join: Callable[[Parts], str]) -> Assemble:
    """Make a strategy of a function that calls no model."""

    def assemble(parts: Parts) -> Asking[str]:
        yield from ()
        return join(parts)

    return assemble
