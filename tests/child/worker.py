"""A child for the tests of the launcher: `python -m tests.child.worker WHAT [ARGUMENT]`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from ai3ray.child.lifetime import exit_at_end_of_input, exit_with_parent
from ai3ray.child.resource_limits import ResourceLimits, limit_resources

LIMITS = ResourceLimits(memory_bytes=1 << 30, cpu_s=60, wall_s=60.0)


def say(words: object) -> None:
    print(json.dumps(words), flush=True)


def sleep() -> None:
    say("ready")
    while True:
        time.sleep(60)


def ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep()


def sleep_until_input_ends() -> None:
    exit_at_end_of_input()
    sleep()


def environment() -> None:
    say(dict(os.environ))


def complain() -> None:
    print("a complaint", file=sys.stderr)


def allocate() -> None:
    limit_resources(LIMITS)
    try:
        bytearray(2 << 30)
    except MemoryError:
        say("no memory")


def write_a_file() -> None:
    limit_resources(LIMITS)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with Path(sys.argv[2]).open("w") as file:
            file.write("x")
    except OSError as error:
        say(error.strerror)


def compute() -> None:
    limit_resources(LIMITS._replace(cpu_s=1))
    while True:
        pass


def outlast_the_clock() -> None:
    limit_resources(LIMITS._replace(wall_s=0.5))
    sleep()


if __name__ == "__main__":
    exit_with_parent()
    globals()[sys.argv[1]]()
