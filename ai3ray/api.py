"""ai3ray from Python: `run`, `arun`, `stream`, `plan`."""

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
        prompt: the task; optional with `plan`.
        server: URL of a server; AI3_SERVER or the local head when absent.
        inline: run in this process, without Ray.
        **fields: further fields of `RunRequest`; `plan` may be a TaskGraph.

    Returns:
        The finished run, whatever its status.

    Raises:
        UsageError: a field is wrong, or an event loop is running already: use `arun` there.
        HeadUnavailable: no server and no head answers, and no head could be started.
    """
    return _run_sync(arun(prompt, server=server, inline=inline, **fields), "arun")


async def arun(prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any) -> RunResult:
    """Run a prompt and wait for its end, as `run` does; cancelling this cancels the run."""
    request = _request(prompt, fields)
    async with _connect(server, inline) as client:
        accepted = await client.submit(_fill(request, client))
        try:
            return await client.wait(accepted.run_id)
        except asyncio.CancelledError:
            await client.cancel(accepted.run_id)
            raise


async def stream(
    prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any
) -> AsyncGenerator[Event, None]:
    """Run a prompt as `run` does and yield its events, with deltas of the answers; the last event is `stats`."""
    request = _request(prompt, fields)
    async with _connect(server, inline) as client, aclosing(client.stream(_fill(request, client))) as events:
        async for event in events:
            yield event


def plan(prompt: str = "", *, server: str | None = None, inline: bool = False, **fields: Any) -> TaskGraph:
    """Return the task graph of a prompt and run no task; arguments as for `run`."""

    async def preview() -> TaskGraph:
        request = _request(prompt, fields)
        async with _connect(server, inline) as client:
            return (await client.plan(_fill(request, client))).plan

    return _run_sync(preview(), "Client.plan")


def _request(prompt: str, fields: dict[str, Any]) -> RunRequest:
    graph = fields.get("plan")
    if isinstance(graph, TaskGraph):
        fields = {**fields, "plan": graph.model_dump(mode="json", exclude_none=True)}
    return parse_request({**fields, "prompt": prompt})


def _connect(server: str | None, inline: bool) -> AbstractAsyncContextManager[Client]:
    settings = load_settings()
    return connect(settings, merged_env(), server=server, inline=inline, notify=_print_notice)


def _fill(request: RunRequest, client: Client) -> RunRequest:
    return fill_request(request, load_settings(), remote=client.remote)


def _print_notice(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - as the CLI does


def _run_sync(work: Coroutine[Any, Any, T], instead: str) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise UsageError(f"an event loop is running already: await {instead} instead")
