"""A command's settings, environment and connections."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ai3ray.client.client import Client, fill_request
from ai3ray.client.port import RunReader
from ai3ray.connect import connect, connect_for_reading
from ai3ray.domain.request import RunRequest
from ai3ray.settings.load import load_settings, merged_env
from ai3ray.settings.model import Settings

from .streams import print_stderr

T = TypeVar("T")


@dataclass(frozen=True)
class CommandContext:
    """A command's settings, and connections made from them."""

    settings: Settings
    """Flags, environment, `.env` and files, merged."""
    env: Mapping[str, str]
    """The environment, completed from `.env`."""
    server: str | None

    def connect(self, notify: Callable[[str], None], *, inline: bool = False) -> AbstractAsyncContextManager[Client]:
        """Connect to the server or the local head; start the head if needed."""
        if inline:
            root = logging.getLogger()
            if not root.handlers:  # without --debug the engine's log stays out of the terminal
                root.addHandler(logging.FileHandler(self.settings.home / "ai3.log", delay=True))
        return connect(self.settings, self.env, server=self.server, inline=inline, notify=notify)

    def fill(self, request: RunRequest, client: Client) -> RunRequest:
        """Complete a request from the settings."""
        return fill_request(request, self.settings, remote=client.remote)

    def reader(self) -> AbstractAsyncContextManager[RunReader]:
        """Open the server, the running head, or else the journal's file."""
        return connect_for_reading(self.settings, self.env, server=self.server)

    def read(self, query: Callable[[RunReader], Awaitable[T]]) -> T:
        """Run `query` on a reader."""

        async def answer() -> T:
            async with self.reader() as reader:
                return await query(reader)

        return run_async(answer())


def load_context(config: str | None = None, server: str | None = None) -> CommandContext:
    """Load the settings of this command line.

    Raises:
        SettingsError: a variable, a `.env` line or a file is wrong.
    """
    cwd = Path.cwd()
    env = merged_env(os.environ, cwd)
    settings = load_settings(env=env, cwd=cwd, config=Path(config) if config else None)
    return CommandContext(settings, env, server)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run the command's only event loop."""
    return asyncio.run(work)


def notify(text: str) -> None:
    """Print a line on stderr after the program's name."""
    print_stderr(f"ai3: {text}")
