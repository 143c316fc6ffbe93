"""Runs checks of untrusted output in another process than the model calls."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import ValidationError

from ai3ray.child.launcher import child_process
from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.verifier.check import CodeJob, check, code_to_compile, is_heavy, joined
from ai3ray.verifier.sandbox import CheckJob

CHECK_TIMEOUT_S = 60.0
"""Wall clock of one isolated check, far above its CPU limit: a busy machine must not reject good answers."""
MAX_CHECKS = max(2, os.cpu_count() or 1)
"""Isolated checks that one runner has in progress at a time."""


class Isolation(Protocol):
    """Runs the rule checks elsewhere."""

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """Apply all rules; a check that takes too long is a defect, never an exception."""
        ...


class ProcessIsolation:
    """Checks each answer in a process of its own."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_CHECKS)

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """Apply all rules and compilers in a new process."""
        async with self._slots, child_process("ai3ray.verifier.sandbox") as child:
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    answer = await child.communicate(CheckJob(task=task, reply=reply).model_dump_json().encode())
                return Verdict.model_validate_json(answer)
            except TimeoutError:
                return unverifiable(f"the check took longer than {CHECK_TIMEOUT_S:.0f} s")
            except ValidationError:
                return unverifiable(f"the check's process died with exit status {child.exit_code}")


async def checked_apart(
    task: Task,
    reply: Reply,
    rules: Callable[[Task, Reply], Awaitable[Verdict]],
    compile_code: Callable[[CodeJob], Awaitable[tuple[Defect, ...]]],
) -> Verdict:
    """Apply all rules and compilers, the dangerous ones by the given functions."""
    if is_heavy(task, reply.text):
        return await rules(task, reply)
    verdict = check(task, reply, content=True)
    job = code_to_compile(task, reply.text) if reply.finish == "stop" else None
    return joined(verdict, await compile_code(job)) if job else verdict


def unverifiable(problem: str) -> Verdict:
    """Return the verdict on an answer that could not be checked."""
    return Verdict(passed=False, score=0.0, defects=(Defect(part="answer", problem=problem),))
