"""A limit raises when its time is up, and only then."""

import asyncio

import pytest

from ai3ray.errors import CallTimeout
from ai3ray.providers.failures.deadline import Deadline


async def test_time_that_is_up_raises_with_its_message():
    with pytest.raises(CallTimeout, match="too long") as caught:
        async with Deadline(0.01, "too long"):
            await asyncio.sleep(60)
    assert caught.value.maybe_paid


async def test_no_limit_until_it_is_restarted():
    with pytest.raises(CallTimeout, match="silent"):
        await _restarts(Deadline(None, "never said"))


async def test_other_errors_and_cancellation_pass():
    with pytest.raises(TimeoutError, match="other"):
        async with Deadline(60, "too long"):
            raise TimeoutError("other")
    task = asyncio.create_task(_waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _restarts(limit):
    async with limit:
        await asyncio.sleep(0.02)
        limit.restart(0.01, "silent")
        await asyncio.sleep(60)


async def _waits():
    async with Deadline(60, "too long"):
        await asyncio.sleep(60)
