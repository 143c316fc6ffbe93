"""Ctrl-C: the first asks, the second leaves."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from cli.interrupt import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_cancels_the_task_which_may_then_go_on(number):
    with Interrupts() as interrupts:
        assert not interrupts.requested
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), number)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(30)
        assert interrupts.requested
        interrupts.handled()
        async with asyncio.timeout(5):  # counts cancellations: would end at once if one were left over
            await asyncio.sleep(0)


async def test_the_handlers_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


STUBBORN = """
import asyncio, os, signal
from cli.interrupt import Interrupts

async def main():
    with Interrupts():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(30)
        finally:
            print("asked", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
            print("still here", flush=True)

asyncio.run(main())
"""


def test_the_second_signal_ends_the_process_at_once():
    done = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "asked\n", "")
