"""Translates Ray's errors of actor calls."""

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
"""Seconds for a dead actor to return."""

LOST = (ActorDiedError, ActorUnavailableError, WorkerCrashedError, ObjectLostError)
"""Ray's errors for work in a dead process."""

T = TypeVar("T")


class CoreRestarting(EngineError):
    """The core's process died, and Ray is restarting it."""

    type = "core_restarting"


async def result_of(ref: ray.ObjectRef[T]) -> T:
    """Return an actor call's value; raise our errors unchanged, Ray's as EngineError."""
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
    """Return the last line, in which Ray says what happened."""
    return str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
