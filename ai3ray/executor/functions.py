"""Ray remote functions: checks of untrusted output, in worker processes with limits on CPU and memory.

Model calls never run here: a function that waits for a model would hold a whole worker process.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import ray
from ray.exceptions import RayError

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.executor.isolation import CHECK_TIMEOUT_S, unverifiable
from ai3ray.verifier.check import check
from ai3ray.verifier.code import check_code as code_defects

CPU_S = 10
"""CPU seconds that one check may burn before the kernel ends its process."""
MEMORY_BYTES = 2 << 30
"""Address space that a checking process may grow by."""


@ray.remote(num_cpus=0.1, max_retries=0, max_calls=1)
def check_json(task: Task, reply: Reply) -> Verdict:
    """All rules over an answer too large to parse beside the model calls; the process ends after it."""
    _limit()
    return check(task, reply, content=True)


@ray.remote(num_cpus=0.1, max_retries=0, max_calls=1)
def check_code(text: str, language: str) -> tuple[Defect, ...]:
    """What keeps the code in an answer from compiling; it is never run. The process ends after it."""
    _limit()
    return code_defects(text, language)


class RayIsolation:
    """Checks in Ray workers of their own."""

    async def check(self, task: Task, reply: Reply) -> Verdict:
        """The verdict of all rules; an answer that kills or outlasts its checker is a defect."""
        ref: Any = check_json.remote(task, reply)
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                verdict: Verdict = await ref
                return verdict
        except TimeoutError:
            ray.cancel(ref, force=True)
            return unverifiable(f"the check took longer than {CHECK_TIMEOUT_S:.0f} s")
        except RayError as error:
            return unverifiable(f"the check died: {type(error).__name__}")


def _limit() -> None:
    """Bound this process: Ray made it for this one call."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    cpu = int(used) + CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no Path import in a hot worker
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    limit = mapped + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
