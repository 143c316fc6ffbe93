"""The shape of what may ask a model: planner, judge, repair and assembly decide, `drive` has their calls made.

Such a strategy is a generator without I/O. It yields an `Ask`, is sent the `Answered` or has the call's error thrown
into it, and returns its result.

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
    """One model call that a strategy wants made."""

    prompt: Prompt
    """The prompt of the call."""
    role: Role
    """The purpose of the call."""
    kind: Kind
    """The kind of the work, for the router."""
    tier: Tier = "standard"
    """How strong a model is wanted, for the router."""
    n: int = 1
    """Which call of this strategy it is, from 1."""
    models: tuple[str, ...] | None = None
    """The only `provider/model` names allowed; those of the run's request when None."""
    exclude: tuple[str, ...] = ()
    """`provider/model` names that may not be called."""
    first: str | None = None
    """The model to call before any other."""
    plans: bool = False
    """Whether the model has to be able to plan."""
    structured: bool = False
    """Whether the model has to support structured output."""
    stretch: bool = True
    """Whether the last of a budget may go to this call although it is expected to cost more."""


class Answered(NamedTuple):
    """The complete reply to an `Ask`."""

    reply: Reply
    """The reply."""
    model: str
    """Its author, as `provider/model`."""


Asking: TypeAlias = Generator[Ask, Answered, T]
"""A strategy that may ask models, and what it returns."""


async def drive(strategy: Generator[StepT, ResultT, T], act: Callable[[StepT], Awaitable[ResultT]]) -> T:
    """Do what a strategy yields, one step after the other, and return what it returns.

    Args:
        strategy: the generator.
        act: does one step; what it returns is sent to the strategy, an Ai3Error that it raises is thrown into it.

    Raises:
        Ai3Error: a step failed, and the strategy has no answer to that.
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
