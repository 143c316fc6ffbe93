"""Deltas stand between the events they belong to."""

from __future__ import annotations

import asyncio

from ai3ray.domain.events import TextDelta
from ai3ray.executor.deltas import DELTAS_KEPT, DeltaBuffer


def buffer_of(*after_seqs: int) -> DeltaBuffer:
    buffer = DeltaBuffer()
    for number, seq in enumerate(after_seqs, 1):
        buffer.add(TextDelta(type="task_delta", run_id="r", task_id="t", text=str(number)), seq)
    return buffer


def numbers(found) -> list[int]:
    return [number for number, _, _ in found]


async def test_a_delta_waits_for_the_event_it_came_after():
    buffer = buffer_of(3, 3, 5)
    assert numbers(buffer.after(0, 0, 4)) == [1, 2]
    assert numbers(buffer.after(2, 4, 5)) == [3]


async def test_a_reader_who_comes_back_does_not_get_what_came_before_its_last_event():
    assert numbers(buffer_of(3, 5, 7).after(0, 5, 9)) == [2, 3]


async def test_a_reader_who_falls_behind_loses_the_oldest():
    buffer = buffer_of(*([1] * (DELTAS_KEPT + 10)))
    assert numbers(buffer.after(0, 0, 1))[0] == 11


async def test_waiting_ends_with_the_next_delta():
    buffer = buffer_of(1)
    waiting = asyncio.create_task(buffer.wait(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    buffer.add(TextDelta(type="task_delta", run_id="r", text="x"), 1)
    await waiting


async def test_only_a_reader_makes_a_run_watched():
    buffer = DeltaBuffer()
    assert not buffer.watched
    buffer.watch()
    assert buffer.watched
