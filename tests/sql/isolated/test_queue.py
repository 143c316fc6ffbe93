"""Whose query is next."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.errors import Throttled
from ai3ray.sql.isolated.queue import QueryQueue


class Asker:
    """Somebody who has a turn until told to give it back."""

    def __init__(self, queue: QueryQueue, owner: str | None) -> None:
        self.done = asyncio.Event()
        self.has = asyncio.Event()
        self.task = asyncio.create_task(self._ask(queue, owner))

    async def _ask(self, queue: QueryQueue, owner: str | None) -> None:
        async with queue.slot(owner):
            self.has.set()
            await self.done.wait()

    async def give_back(self) -> None:
        self.done.set()
        await self.task


async def test_no_more_run_than_may_and_the_others_wait() -> None:
    queue = QueryQueue(2, max_wait_s=60)
    askers = [Asker(queue, None) for _ in range(3)]
    await askers[1].has.wait()
    assert [asker.has.is_set() for asker in askers] == [True, True, False]
    await askers[0].give_back()
    await askers[2].has.wait()
    for asker in askers[1:]:
        await asker.give_back()


async def test_a_turn_goes_to_the_owner_who_has_the_fewest() -> None:
    queue = QueryQueue(2, max_wait_s=60)
    greedy = [Asker(queue, "greedy") for _ in range(5)]
    await greedy[1].has.wait()
    modest = Asker(queue, "modest")
    await asyncio.sleep(0)
    await greedy[0].give_back()
    await modest.has.wait()
    assert not greedy[2].has.is_set()
    for asker in (modest, *greedy[1:]):
        asker.done.set()
    await asyncio.gather(*(asker.task for asker in (modest, *greedy)))


async def test_who_waits_too_long_is_told_when_to_come_again() -> None:
    queue = QueryQueue(1, max_wait_s=0.01)
    first = Asker(queue, None)
    await first.has.wait()
    with pytest.raises(Throttled) as caught:
        await Asker(queue, None).task
    assert caught.value.retry_after_s > 0
    await first.give_back()
    await Asker(queue, None).give_back()


async def test_a_line_that_is_too_long_turns_people_away_at_once() -> None:
    queue = QueryQueue(1, max_wait_s=60)
    askers = [Asker(queue, None) for _ in range(33)]
    await askers[0].has.wait()
    with pytest.raises(Throttled):
        await Asker(queue, None).task
    for asker in askers:
        asker.done.set()
    await asyncio.gather(*(asker.task for asker in askers))


async def test_who_leaves_the_line_takes_no_turn_with_them() -> None:
    queue = QueryQueue(1, max_wait_s=60)
    first, second, third = (Asker(queue, None) for _ in range(3))
    await first.has.wait()
    first.done.set()
    await asyncio.sleep(0)  # the turn is on its way to the second, who leaves in the same moment
    second.task.cancel()
    await third.has.wait()
    await third.give_back()
    assert second.task.cancelled()
