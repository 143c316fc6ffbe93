"""Checks in a process of their own, under limits of CPU and memory.

`python -m ai3ray.verifier.sandbox` reads a task and a reply from standard input, checks them, and writes the verdict to
standard output.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from ai3ray.child.lifetime import exit_with_parent
from ai3ray.child.resource_limits import resources_limited
from ai3ray.domain.call import Reply
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import Task

CPU_S = 10
"""CPU seconds of one check before the kernel ends its process."""
MEMORY_BYTES = 2 << 30
"""Address space that a checking process may grow by."""


class CheckJob(Frozen):
    """A task and its answer."""

    task: Task
    reply: Reply


def limited() -> AbstractContextManager[None]:
    """Limit this process during a check, and restore it for the next."""
    return resources_limited(CPU_S, MEMORY_BYTES)


def main() -> None:
    """Check the job on standard input."""
    exit_with_parent()
    from ai3ray.verifier.check import check_with_code

    job = CheckJob.model_validate_json(sys.stdin.buffer.read())
    with limited():
        verdict = check_with_code(job.task, job.reply)
    sys.stdout.buffer.write(verdict.model_dump_json().encode())


if __name__ == "__main__":
    main()
