"""Chooses the strategy by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ai3ray.assembler.concat import concat
from ai3ray.assembler.last import last
from ai3ray.assembler.port import Strategy
from ai3ray.domain.plan import Assembly, TaskGraph
from ai3ray.errors import NotBuilt, RequestError

STRATEGIES: dict[str, Strategy] = {"concat": concat, "last": last}
"""What this version can do, by name."""


def assemble(graph: TaskGraph, assembly: str, outputs: Mapping[str, str], holes: Mapping[str, str]) -> str:
    """The answer of a run.

    Args:
        graph: the plan.
        assembly: name of the strategy.
        outputs: output of each task that has one, by id.
        holes: why there is none, by id of each other task.

    Raises:
        NotBuilt: this version does not have the strategy.
        RequestError: there is no such strategy.
    """
    return strategy(assembly)(graph, outputs, holes)


def strategy(name: str) -> Strategy:
    """The strategy of that name. Raises NotBuilt or RequestError."""
    found = STRATEGIES.get(name)
    if found is not None:
        return found
    built = ", ".join(STRATEGIES)
    if name in get_args(Assembly):
        raise NotBuilt(f"assembly {name!r} is not in this version; use one of {built}", "assembly")
    raise RequestError(f"there is no assembly {name!r}; use one of {built}", "assembly")
