"""A strategy is driven to its end: it gets what its steps bring, errors too, and its result is the driver's."""

from __future__ import annotations

import pytest

from ai3ray.errors import Overloaded, RunError
from ai3ray.prompts.asking import drive


async def act(step: int) -> int:
    if step < 0:
        raise Overloaded("busy", provider="p", model="m")
    return 10 * step


async def test_each_step_is_done_and_its_result_sent_back():
    def strategy():
        first = yield 1
        second = yield first + 1
        return second

    assert await drive(strategy(), act) == 110


async def test_an_error_is_thrown_into_the_strategy_which_may_go_on():
    def strategy():
        try:
            yield -1
        except Overloaded:
            return (yield 2)

    assert await drive(strategy(), act) == 20


async def test_an_error_that_a_strategy_has_no_answer_to_is_raised():
    def strategy():
        yield -1
        raise RunError("never reached")

    with pytest.raises(Overloaded):
        await drive(strategy(), act)


async def test_a_strategy_may_return_without_a_step():
    def strategy():
        yield from ()
        return "done"

    assert await drive(strategy(), act) == "done"
