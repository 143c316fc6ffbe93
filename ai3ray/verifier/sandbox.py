"""Checks in a process of their own, under limits of CPU and memory.

`python -m ai3ray.verifier.sandbox` reads a task and a reply from standard input, checks them, and writes the verdict to
standard output.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai3ray.domain.call import Reply
from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import Task

CPU_S = 10
"""CPU seconds that one check may burn before the kernel ends its process."""
MEMORY_BYTES = 2 << 30
"""Address space that a checking process may grow by."""


class CheckJob(Frozen):
    """A task and its answer, to be checked."""

    task: Task
    reply: Reply


@contextmanager
def limited() -> Iterator[None]:
    """Limit this process while it checks, and restore it: a worker may be used again.

    Only the soft limits change. On systems without such limits there are none.
    """
    try:
        import resource
    except ImportError:  # no POSIX system
        yield
        return
    before = {limit: resource.getrlimit(limit) for limit in (resource.RLIMIT_CPU, resource.RLIMIT_AS)}
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    _lower(resource.RLIMIT_CPU, int(used) + 1 + CPU_S)
    mapped = _mapped()
    if mapped is not None:
        _lower(resource.RLIMIT_AS, mapped + MEMORY_BYTES)
    try:
        yield
    finally:
        for limit, was in before.items():
            resource.setrlimit(limit, was)


def _lower(limit: int, soft: int) -> None:
    import resource

    was, hard = resource.getrlimit(limit)
    bounds = [bound for bound in (soft, was, hard) if bound != resource.RLIM_INFINITY]
    resource.setrlimit(limit, (min(bounds), hard))


def _mapped() -> int | None:
    import resource

    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return None


def main() -> None:
    """Check the job on standard input."""
    from ai3ray.verifier.check import check_with_code

    job = CheckJob.model_validate_json(sys.stdin.buffer.read())
    with limited():
        verdict = check_with_code(job.task, job.reply)
    sys.stdout.buffer.write(verdict.model_dump_json().encode())


if __name__ == "__main__":
    main()
