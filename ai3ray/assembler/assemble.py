"""Chooses the strategy by its name."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.assembler.concat import concat
from ai3ray.assembler.last import last
from ai3ray.assembler.port import Strategy
from ai3ray.domain.plan import TaskGraph
from ai3ray.errors import RequestError

STRATEGIES: dict[str, Strategy] = {"concat": concat, "last": last}
"""What needs no model, by name; `synthesize` does."""


def assemble(graph: TaskGraph, assembly: str, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str:
    """The answer of a run.

    Args:
        graph: the plan.
        assembly: name of the strategy.
        outputs: output of each task that has one, by id.
        holes: why there is none, by id of each other task.

    Raises:
        RequestError: there is no such strategy in code.
    """
    return strategy(assembly)(graph, outputs, holes)


def strategy(name: str) -> Strategy:
    """The strategy of that name. Raises RequestError."""
    found = STRATEGIES.get(name)
    if found is None:
        raise RequestError(f"no code assembles by {name!r}; it does by {', '.join(STRATEGIES)}", "assembly")
    return found
