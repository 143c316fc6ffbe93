"""Who serves: the server that was named, else this process (`--inline`), else the Ray it is in, else the local head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ai3ray.client.client import Client
from ai3ray.client.local_head import Notify, ensure_head, find_head
from ai3ray.client.port import RunReader
from ai3ray.domain.listings import PruneReport
from ai3ray.errors import JournalLocked
from ai3ray.executor.ray.environment import cluster_address
from ai3ray.settings.model import Settings

LOCKED_S = 10.0
"""Seconds that a process that is going gets to let go of the journal."""
_RETRY_S = 0.1


@asynccontextmanager
async def connect(
    settings: Settings,
    env: Mapping[str, str],
    *,
    server: str | None = None,
    inline: bool = False,
    notify: Notify,
) -> AsyncIterator[Client]:
    """A client of whoever serves, for the length of the context.

    Args:
        settings: the caller's; a head that has to be started gets them.
        env: the environment such a head gets, keys from `.env` included.
        server: URL of a server; AI3_SERVER when absent.
        inline: serve from this process, unless a head owns the home.
        notify: told in one line what takes time or surprises.

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
    """Whoever can tell about runs: the server, the head if it is up, else the journal's file. Boots nothing.

    Raises:
        JournalLocked: another process has held the journal for 10 s; the message names it.
    """
    async with AsyncExitStack() as stack:
        if (server or settings.server) is not None:
            yield await stack.enter_async_context(Client(server or settings.server, key=settings.server_key))
        elif (cluster := cluster_address(env)) is not None:
            yield await stack.enter_async_context(Client(socket=await _cluster_socket(stack, settings, env, cluster)))
        else:
            yield await _local_reading(stack, settings, env)


async def prune(settings: Settings, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
    """Delete this home's runs that ended long ago: through its head if it is up, else in the journal's file.

    Args:
        settings: name the home.
        older_than_s: seconds since a run's end.
        dry_run: only count.

    Raises:
        JournalLocked: another process has held the journal for 10 s; the message names it.
    """
    retries = _LockRetries()
    while True:
        head = find_head(settings)
        if head is not None:
            async with Client(socket=head.socket) as client:
                return await client.prune(older_than_s, dry_run=dry_run)
        from ai3ray.client.journal_client import prune_journal

        try:
            return await prune_journal(settings, older_than_s, dry_run=dry_run)
        except JournalLocked as error:
            await retries.wait(error)


async def _head_client(settings: Settings, env: Mapping[str, str], notify: Notify) -> Client:
    async def restart_head() -> Path:
        return (await ensure_head(settings, env, notify=notify)).socket

    return Client(socket=await restart_head(), restart_head=restart_head)


async def _inline_socket(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str], notify: Notify) -> Path:
    """The socket of the head that owns the home, else of an app in this process."""
    retries = _LockRetries()
    while True:
        head = find_head(settings)
        if head is not None:
            notify(f"the local head (pid {head.pid}) owns this home: it serves the run")
            return head.socket
        from ai3ray.server.in_process import inline_server

        try:
            return await stack.enter_async_context(inline_server(settings, env))
        except JournalLocked as error:
            await retries.wait(error)


async def _cluster_socket(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str], address: str) -> Path:
    """The socket of an app in this process over the cluster's core."""
    from ai3ray.server.in_cluster import cluster_server

    return await stack.enter_async_context(cluster_server(settings, env, address))


async def _local_reading(stack: AsyncExitStack, settings: Settings, env: Mapping[str, str]) -> RunReader:
    retries = _LockRetries()
    while True:
        head = find_head(settings)
        if head is not None:
            return await stack.enter_async_context(Client(socket=head.socket))
        from ai3ray.client.journal_client import (
            open_journal_client,  # DuckDB is loaded only when the file has to be read
        )

        try:
            return await stack.enter_async_context(open_journal_client(settings, env))
        except JournalLocked as error:
            await retries.wait(error)


class _LockRetries:
    """Waits for a journal that is locked by a process that may be going, up to `LOCKED_S`."""

    def __init__(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + LOCKED_S

    async def wait(self, error: JournalLocked) -> None:
        """A short pause, or the error when there have been enough."""
        # A file lock tells nobody when it falls, and the holder may turn out to be a head that is starting.
        if asyncio.get_running_loop().time() > self._deadline:
            raise error
        await asyncio.sleep(_RETRY_S)
