"""Checks untrusted output in limited Ray workers."""

from __future__ import annotations

import asyncio
from typing import Any

import ray
from ray.exceptions import RayError

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.verifier.check import CodeJob, check
from ai3ray.verifier.code import check_code as code_defects
from ai3ray.verifier.isolation import CHECK_TIMEOUT_S, MAX_CHECKS, checked_apart, unverifiable
from ai3ray.verifier.sandbox import limited


@ray.remote(num_cpus=0.1, max_retries=0)
def check_json(task: Task, reply: Reply) -> Verdict:
    """Return all rules' verdict on an answer that is unsafe to parse in the runner."""
    with limited():
        return check(task, reply, content=True)


@ray.remote(num_cpus=0.1, max_retries=0)
def check_code(text: str, language: str) -> tuple[Defect, ...]:
    """Return the compiler's defects; the code is never run."""
    with limited():
        return code_defects(text, language)


class RayIsolation:
    """Checks in Ray workers, reused until a check kills them."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_CHECKS)

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """Return all rules' and compilers' verdict; a check's death or time-out is a defect."""
        return await checked_apart(task, reply, self._rules, self._compile)

    async def _rules(self, task: Task, reply: Reply) -> Verdict:
        done = await self._elsewhere(check_json, task, reply)
        return unverifiable(done) if isinstance(done, str) else done

    async def _compile(self, job: CodeJob) -> tuple[Defect, ...]:
        done = await self._elsewhere(check_code, job.text, job.language)
        return unverifiable(done).defects if isinstance(done, str) else done

    async def _elsewhere(self, function: Any, *args: object) -> Any:
        """Return the result, or the reason for none."""
        async with self._slots:
            ref = function.remote(*args)
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    return await ref
            except TimeoutError:
                ray.cancel(ref, force=True)
                return f"the check took longer than {CHECK_TIMEOUT_S:.0f} s"
            except RayError as error:
                return f"the check died: {type(error).__name__}"
