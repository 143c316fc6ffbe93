"""Strategies that may call models: planner, judge, repair and assembly decide, `drive` makes the calls.

A strategy is a generator without I/O. It yields an `Ask`, is sent the `Answered` or has the call's error thrown into
it, and returns its result.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import NamedTuple, TypeAlias, TypeVar, cast

from ai3ray.domain.call import Prompt, Reply, Role
from ai3ray.domain.plan import Kind, Tier
from ai3ray.errors import Ai3Error

T = TypeVar("T")
StepT = TypeVar("StepT")
ResultT = TypeVar("ResultT")


class Ask(NamedTuple):
    """One model call that a strategy requests."""

    prompt: Prompt
    role: Role
    kind: Kind
    tier: Tier = "standard"
    n: int = 1
    """Number of the strategy's call, from 1."""
    models: tuple[str, ...] | None = None
    """The only `provider/model` names allowed; those of the run's request when None."""
    exclude: tuple[str, ...] = ()
    """`provider/model` names that may not be called."""
    first: str | None = None
    """The model to call before any other."""
    plans: bool = False
    """True to require a model that can plan."""
    structured: bool = False
    """True to require structured output."""
    stretch: bool = True
    """True if the last of a budget may go to this call, even if it may cost more."""


class Answered(NamedTuple):
    """The complete reply to an `Ask`."""

    reply: Reply
    model: str
    """The author, as `provider/model`."""


Asking: TypeAlias = Generator[Ask, Answered, T]
"""A strategy that returns a T."""


async def drive(strategy: Generator[StepT, ResultT, T], act: Callable[[StepT], Awaitable[ResultT]]) -> T:
    """Carry out the steps that a strategy yields, in turn, and return its result.

    Args:
        strategy: the generator.
        act: does one step; its result is sent to the strategy, its Ai3Error is thrown into it.

    Raises:
        Ai3Error: a step failed, and the strategy did not catch it.
    """
    try:
        step = next(strategy)
        while True:
            try:
                result = await act(step)
            except Ai3Error as error:
                step = strategy.throw(error)
            else:
                step = strategy.send(result)
    except StopIteration as done:
        return cast("T", done.value)
