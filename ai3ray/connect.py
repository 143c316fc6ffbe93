"""Connects to the named server, this process (`--inline`), Ray's cluster or the local head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from ai3ray.client.client import Client
from ai3ray.client.local_head import HeadAddress, Notify, ensure_head, find_head
from ai3ray.client.port import RunReader
from ai3ray.domain.listings import PruneReport
from ai3ray.errors import JournalLocked
from ai3ray.executor.ray.environment import cluster_address
from ai3ray.settings.model import Settings

# Engine and DuckDB are imported late: a command that a head serves needs neither.

LOCK_WAIT_S = 10.0
"""Seconds to wait for a journal that a process on its way out still locks."""
_RETRY_S = 0.1

T = TypeVar("T")


@asynccontextmanager
async def connect(
    settings: Settings,
    env: Mapping[str, str],
    *,
    server: str | None = None,
    inline: bool = False,
    notify: Notify,
) -> AsyncIterator[Client]:
    """Yield a connected client.

    Args:
        settings: the caller's, also for a head that has to be started.
        env: the environment of such a head, with the keys from `.env`.
        server: URL of a server; AI3_SERVER when absent.
        inline: serve from this process, unless a head owns the home.
        notify: called with a line about whatever takes time or is unexpected.

    Raises:
        HeadUnavailable: no head answers and none could be started.
        JournalLocked: with `inline`, another process owns the journal; the message names it.
    """
    async with AsyncExitStack() as stack:
        if (server or settings.server) is not None:
            client = Client(server or settings.server, key=settings.server_key)
        elif inline:
            client = Client(socket=await _inline_socket(stack, settings, env, notify))
        elif (cluster := cluster_address(env)) is not None:
            client = Client(socket=await _cluster_socket(stack, settings, env, cluster))
        else:
            client = await _head_client(settings, env, notify)
        yield await stack.enter_async_context(client)


@asynccontextmanager
async def connect_for_reading(
    settings: Settings, env: Mapping[str, str], *, server: str | None = None
) -> AsyncIterator[RunReader]:
    """Yield a reader of runs: the server, the head if it is up, or else the journal's file. Starts nothing.

    Raises:
        JournalLocked: another process has held the journal for 10 s; the message names it.
    """
    async with AsyncExitStack() as stack:
        if (server or settings.server) is not None:
            yield await stack.enter_async_context(Client(server or settings.server, key=settings.server_key))
        elif (cluster := cluster_address(env)) is not None:
            yield await stack.enter_async_context(Client(socket=await _cluster_socket(stack, settings, env, cluster)))
        else:
            yield await _local_reader(stack, settings, env)


async def prune(settings: Settings, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
    """Delete this home's runs that ended long ago, through its head if it is up, or else in the journal's file.

    Args:
        settings: name the home.
        older_than_s: seconds since a run's end.
        dry_run: only count.

    Raises:
        JournalLocked: another process has held the journal for 10 s; the message names it.
    """

    async def prune_file() -> PruneReport:
        from ai3ray.client.journal_client import prune_journal

        return await prune_journal(settings, older_than_s, dry_run=dry_run)

    found = await _head_or(prune_file, settings)
    if isinstance(found, PruneReport):
        return found
    async with Client(socket=found.socket) as client:
        return await client.prune(older_than_s, dry_run=dry_run)


async def _head_client(settings: Settings, env: Mapping[str, str], notify: Notify) -> Client:
    async def restart_head() -> Path:
        return (await ensure_head(settings, env, notify=notify)).socket

    return Client(socket=await restart_head(), restart_head=restart_head)


async def _inline_socket(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str], notify: Notify) -> Path:
    async def serve_here() -> Path:
        from ai3ray.server.in_process import inline_server

        return await stack.enter_async_context(inline_server(settings, env))

    found = await _head_or(serve_here, settings)
    if isinstance(found, Path):
        return found
    notify(f"the local head (pid {found.pid}) owns this home: it serves the run")
    return found.socket


async def _cluster_socket(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str], address: str) -> Path:
    from ai3ray.server.in_cluster import cluster_server

    return await stack.enter_async_context(cluster_server(settings, env, address))


async def _local_reader(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str]) -> RunReader:
    async def open_file() -> RunReader:
        from ai3ray.client.journal_client import open_journal_client

        return await stack.enter_async_context(open_journal_client(settings, env))

    found = await _head_or(open_file, settings)
    return await stack.enter_async_context(Client(socket=found.socket)) if isinstance(found, HeadAddress) else found


async def _head_or(without_head: Callable[[], Awaitable[T]], settings: Settings) -> HeadAddress | T:
    """Return the home's head if it is up, or else what `without_head` returns, retried while the journal is locked."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LOCK_WAIT_S
    while True:
        head = find_head(settings)
        if head is not None:
            return head
        try:
            return await without_head()
        except JournalLocked:
            if loop.time() > deadline:
                raise
        # Polled: a file lock gives no notice, and its holder may turn out to be a head that is starting.
        await asyncio.sleep(_RETRY_S)
