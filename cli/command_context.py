"""What a command needs before it can ask anything: settings, environment, a connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .streams import print_stderr

if TYPE_CHECKING:
    from collections.abc import Callable

    from ai3ray.client.client import Client
    from ai3ray.client.port import RunReader
    from ai3ray.domain.request import RunRequest
    from ai3ray.settings.model import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class CommandContext:
    """One command's settings and whom it talks to."""

    settings: Settings
    """Flags, environment, `.env` and files, merged."""
    env: Mapping[str, str]
    """The environment with `.env` beneath it."""
    server: str | None
    """The `--server` flag."""

    def connect(self, notify: Callable[[str], None], *, inline: bool = False) -> AbstractAsyncContextManager[Client]:
        """A client of whoever serves; starts the local head when nobody does."""
        from ai3ray.connect import connect

        if inline:
            _divert_logs(self.settings.home)
        return connect(self.settings, self.env, server=self.server, inline=inline, notify=notify)

    def filled(self, request: RunRequest, client: Client) -> RunRequest:
        """The request with what the settings say where the flags leave it open."""
        from ai3ray.client.client import fill_request

        return fill_request(request, self.settings, remote=client.remote)

    def reader(self) -> AbstractAsyncContextManager[RunReader]:
        """Somebody to read from: the server, the head if it is up, else the journal's file."""
        from ai3ray.connect import connect_for_reading

        return connect_for_reading(self.settings, self.env, server=self.server)


def load_context(config: str | None = None, server: str | None = None) -> CommandContext:
    """Load the settings of this command line.

    Raises:
        SettingsError: a variable, a `.env` line or a file is wrong.
    """
    from ai3ray.settings.load import load_settings, merged_env

    cwd = Path.cwd()
    env = merged_env(os.environ, cwd)
    settings = load_settings(env=env, cwd=cwd, config=Path(config) if config else None)
    return CommandContext(settings, env, server)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """The one event loop of a command: run this to its end."""
    return asyncio.run(work)


def _divert_logs(home: Path) -> None:
    """Keep the engine's log out of the terminal when it works in this process; with --debug it goes there."""
    import logging

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.FileHandler(home / "ai3.log", delay=True))


def notify(text: str) -> None:
    """A remark on stderr, signed."""
    print_stderr(f"ai3: {text}")
