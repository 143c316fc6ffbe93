"""Where checks of untrusted output run when they should not run beside the model calls."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.verifier.check import check

CHECK_TIMEOUT_S = 20.0
"""Wall clock of one isolated check."""


class Isolation(Protocol):
    """Runs the rule checks somewhere else."""

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """The verdict of all rules. A check that does not end in time is a defect, never an exception."""
        ...


class ThreadIsolation:
    """Checks in a thread: the inline engine's way, without limits on CPU or memory."""

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """The verdict of all rules."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await asyncio.to_thread(check, task, reply, content=True)
        except TimeoutError:
            return unverifiable(f"the check took longer than {CHECK_TIMEOUT_S:.0f} s")


def unverifiable(problem: str) -> Verdict:
    """The verdict on an answer that could not be checked."""
    return Verdict(passed=False, score=0.0, defects=(Defect(part="answer", problem=problem),))
