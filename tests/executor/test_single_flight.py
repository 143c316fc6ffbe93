"""Who waits for the same answer shares one question, and nobody's leaving takes it from the others."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

import pytest

from ai3ray.executor.single_flight import SingleFlight

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


class Oracle:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left = 0
        self.let = asyncio.Event()

    async def ask(self) -> str:
        self.asked.append(REQUEST.get())
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return f"answer {len(self.asked)}"


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_who_wait_for_the_same_share_one_question_and_later_ones_ask_anew():
    oracle, shared = Oracle(), SingleFlight[str]()
    both = [asyncio.create_task(shared.get("a", oracle.ask)) for _ in range(2)]
    other = asyncio.create_task(shared.get("b", oracle.ask))
    await settled()
    assert len(oracle.asked) == 2
    oracle.let.set()
    assert (await both[0]) is (await both[1])
    await other
    await shared.get("a", oracle.ask)
    assert len(oracle.asked) == 3


async def test_one_who_leaves_does_not_take_the_answer_from_the_others():
    oracle, shared = Oracle(), SingleFlight[str]()
    first, second = (asyncio.create_task(shared.get("a", oracle.ask)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    oracle.let.set()
    assert await second == "answer 1"
    assert (oracle.left, first.cancelled()) == (0, True)


async def test_a_question_that_nobody_waits_for_any_more_is_given_up():
    oracle, shared = Oracle(), SingleFlight[str]()
    waits = [asyncio.create_task(shared.get("a", oracle.ask)) for _ in range(2)]
    await settled()
    for wait in waits:
        wait.cancel()
    await settled()
    assert oracle.left == 1
    again = asyncio.create_task(shared.get("a", oracle.ask))
    oracle.let.set()
    assert await again == "answer 2"


async def test_an_error_reaches_all_who_wait_and_is_not_kept():
    async def fail() -> str:
        await asyncio.sleep(0)
        raise LookupError("no such run")

    shared, oracle = SingleFlight[str](), Oracle()
    said = await asyncio.gather(shared.get("a", fail), shared.get("a", fail), return_exceptions=True)
    assert [type(one) for one in said] == [LookupError, LookupError]
    oracle.let.set()
    assert await shared.get("a", oracle.ask) == "answer 1"


async def test_a_question_is_not_asked_in_the_context_of_the_request_that_came_first():
    oracle, shared = Oracle(), SingleFlight[str]()
    oracle.let.set()
    REQUEST.set("the first")
    await shared.get("a", oracle.ask)
    assert oracle.asked == ["none"]
    with pytest.raises(LookupError):
        await shared.get("b", nothing)


async def nothing() -> str:
    raise LookupError
