"""ai3ray from Python: `run`, `arun`, `stream`, `plan`. The CLI is built on the same client."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, TypeVar

from ai3ray.client.client import Client, fill_request
from ai3ray.connect import connect
from ai3ray.domain.events import Event
from ai3ray.domain.plan import TaskGraph
from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.domain.result import RunResult
from ai3ray.errors import UsageError
from ai3ray.settings.load import load_settings, merged_env

T = TypeVar("T")


def run(prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any) -> RunResult:
    """Run a prompt and wait for its end. Ctrl-C cancels the run.

    Args:
        prompt: what is wanted; may be left out when `plan` is given.
        server: URL of a server; AI3_SERVER, else the local head, when absent.
        inline: work in this process, without Ray.
        **fields: the fields of `RunRequest`; a `plan` may be a TaskGraph.

    Raises:
        UsageError: a field is wrong, or an event loop is running already: use `arun` there.
        HeadUnavailable: nobody serves.
    """
    return _sync(arun(prompt, server=server, inline=inline, **fields), "arun")


async def arun(prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any) -> RunResult:
    """Run a prompt and wait for its end; cancelling this cancels the run. See `run`."""
    request = _request(prompt, fields)
    async with _connected(server, inline) as client:
        accepted = await client.submit(_filled(request, client))
        try:
            return await client.wait(accepted.run_id)
        except asyncio.CancelledError:
            await client.cancel(accepted.run_id)
            raise


async def stream(
    prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any
) -> AsyncGenerator[Event, None]:
    """Run a prompt and yield its events, pieces of answers among them; the last is `stats`. See `run`."""
    request = _request(prompt, fields)
    async with _connected(server, inline) as client, aclosing(client.stream(_filled(request, client))) as events:
        async for event in events:
            yield event


def plan(prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any) -> TaskGraph:
    """The task graph of a prompt; no task is run. See `run`."""

    async def preview() -> TaskGraph:
        request = _request(prompt, fields)
        async with _connected(server, inline) as client:
            return (await client.plan(_filled(request, client))).plan

    return _sync(preview(), "Client.plan")


def _request(prompt: str, fields: dict[str, Any]) -> RunRequest:
    """The request, checked before anything is started."""
    graph = fields.get("plan")
    if isinstance(graph, TaskGraph):
        fields = {**fields, "plan": graph.model_dump(mode="json", exclude_none=True)}
    return parse_request({**fields, "prompt": prompt})


def _connected(server: str | None, inline: bool) -> AbstractAsyncContextManager[Client]:
    settings = load_settings()
    return connect(settings, merged_env(), server=server, inline=inline, notify=_tell)


def _filled(request: RunRequest, client: Client) -> RunRequest:
    return fill_request(request, load_settings(), remote=client.remote)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - as the CLI does: what takes time is said


def _sync(work: Coroutine[Any, Any, T], instead: str) -> T:
    """Run it to its end in a loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise UsageError(f"an event loop is running already: await {instead} instead")
