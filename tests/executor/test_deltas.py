"""Deltas stand between the events they belong to."""

from __future__ import annotations

import asyncio

from ai3ray.domain.events import TextDelta
from ai3ray.executor.deltas import RING, DeltaRing


def ring_of(*after_seqs: int) -> DeltaRing:
    ring = DeltaRing()
    for number, seq in enumerate(after_seqs, 1):
        ring.add(TextDelta(type="task_delta", run_id="r", task_id="t", text=str(number)), seq)
    return ring


def numbers(found) -> list[int]:
    return [number for number, _, _ in found]


async def test_a_delta_waits_for_the_event_it_came_after():
    ring = ring_of(3, 3, 5)
    assert numbers(ring.after(0, 0, 4)) == [1, 2]
    assert numbers(ring.after(2, 4, 5)) == [3]


async def test_a_reader_who_comes_back_does_not_get_what_came_before_its_last_event():
    assert numbers(ring_of(3, 5, 7).after(0, 5, 9)) == [2, 3]


async def test_a_reader_who_falls_behind_loses_the_oldest():
    ring = ring_of(*([1] * (RING + 10)))
    assert numbers(ring.after(0, 0, 1))[0] == 11


async def test_waiting_ends_with_the_next_delta():
    ring = ring_of(1)
    waiting = asyncio.create_task(ring.wait(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    ring.add(TextDelta(type="task_delta", run_id="r", text="x"), 1)
    await waiting


async def test_only_a_reader_makes_a_run_watched():
    ring = DeltaRing()
    assert not ring.watched
    ring.watch()
    assert ring.watched
