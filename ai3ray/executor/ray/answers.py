"""What Ray answers, in terms of our error tree."""

from __future__ import annotations

import asyncio
from typing import TypeVar

import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    ObjectLostError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)

from ai3ray.errors import Ai3Error, EngineError

RECOVERY_S = 60.0
"""Seconds that a died actor gets to come back."""

LOST = (ActorDiedError, ActorUnavailableError, WorkerCrashedError, ObjectLostError)
"""What Ray raises for work whose process is gone."""

T = TypeVar("T")


class CoreRestarting(EngineError):
    """The core's process died and Ray is starting another."""

    type = "core_restarting"


async def answer(ref: ray.ObjectRef[T]) -> T:
    """The value, with errors of our tree as they were raised and Ray's as EngineError."""
    try:
        return await ref
    except ActorUnavailableError as error:
        raise CoreRestarting("the core is restarting") from error
    except TaskCancelledError as error:
        raise asyncio.CancelledError from error
    except RayTaskError as error:
        if isinstance(error.cause, Ai3Error):
            raise error.cause from None
        raise EngineError(first_line(error)) from error
    except RayError as error:
        raise EngineError(first_line(error)) from error


def first_line(error: BaseException) -> str:
    """The line of Ray's long messages that says something: the last one."""
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
