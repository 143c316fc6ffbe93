"""Follows one run from its request to its end, or to Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from ai3ray.client.client import Client
from ai3ray.domain.events import Event
from ai3ray.domain.ids import new_id
from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.domain.run import TERMINAL
from ai3ray.errors import Ai3Error

from .command_context import CommandContext, notify
from .interrupt import Interrupts
from .live.progress import Progress

CANCEL_WAIT_S = 2.0  # Ctrl-C answers within this time, whatever the server does


async def run_to_end(
    context: CommandContext, request: RunRequest, progress: Progress, *, inline: bool
) -> RunResult | None:
    """Submit the request and return the finished run; None when it was interrupted and did not end in time."""
    with Interrupts() as interrupts:
        try:
            async with context.connect(progress.note, inline=inline) as client:
                return await _submit_and_watch(client, context.fill(request, client), progress, interrupts)
        except asyncio.CancelledError:
            if not interrupts.requested:
                raise
            interrupts.handled()
            progress.note("cancelled before the run was accepted")
            return None


async def submit_detached(context: CommandContext, request: RunRequest) -> Accepted:
    """Submit the request and leave its run to the server."""
    async with context.connect(notify) as client:
        return await client.submit(context.fill(request, client), key=new_id("key"))


async def watch_to_end(client: Client, run_id: str, on_event: Callable[[Event], None]) -> RunResult:
    """Follow a run's events from the first on, and return the finished run."""
    async with aclosing(client.events(run_id)) as events:
        async for event in events:
            on_event(event)
    return await client.result(run_id)


async def _submit_and_watch(
    client: Client, request: RunRequest, progress: Progress, interrupts: Interrupts
) -> RunResult | None:
    # A task of its own: an interrupt must not lose the id of a run that the server has just accepted.
    submission = asyncio.create_task(client.submit(request, key=new_id("key")))
    try:
        accepted = await asyncio.shield(submission)
        return await watch_to_end(client, accepted.run_id, progress.event)
    except asyncio.CancelledError:
        if not interrupts.requested:
            raise
        interrupts.handled()
        return await _cancel(client, submission, progress)
    finally:
        submission.cancel()


async def _cancel(client: Client, submission: asyncio.Task[Accepted], progress: Progress) -> RunResult | None:
    progress.note("cancelling the run; press Ctrl-C again to leave at once")
    try:
        async with asyncio.timeout(CANCEL_WAIT_S):
            accepted = await submission
            result = await client.cancel(accepted.run_id)
    except (TimeoutError, Ai3Error) as error:
        reason = str(error) or f"no answer within {CANCEL_WAIT_S:g} s"
        progress.note(f"the cancellation was not confirmed: {reason}; check with 'ai3 runs list'")
        return None
    return result if result.status in TERMINAL else None
