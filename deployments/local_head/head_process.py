"""The local head: `python -P -m deployments.head`, one background process per home.

It owns the home's journal and its local Ray, serves the app on a Unix socket, and leaves when it is
told to, when nothing has run for a while, or when its Ray has died.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from ai3ray.client.head_paths import Place, place_of
from ai3ray.client.local_head import SETTINGS_VARIABLE
from ai3ray.errors import Ai3Error
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.port import Host, Hosted, HostMaker
from ai3ray.settings.fingerprint import settings_fingerprint
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings

from .lock import Tenancy, claim
from .processes import ended
from .reaper import stand_guard
from .tcp_listener import Front

if TYPE_CHECKING:
    from ai3ray.server.unix_socket import SocketServer

HOST_END_S = 12.0
LINGER_S = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger("ai3ray.head")


def main() -> NoReturn:
    """Read the settings that the starter left, then be the head until the end."""
    parser = argparse.ArgumentParser(prog="ai3ray-head", description="the local head; started by ai3 itself")
    parser.add_argument("--engine", choices=("ray", "inline"), default="ray", help=argparse.SUPPRESS)
    engine = parser.parse_args().engine
    settings = take_settings()

    def host(place: Place) -> Host:
        return _ray_host(settings, place) if engine == "ray" else _inline_host(settings)

    run_head(settings, host)


def take_settings() -> Settings:
    """The settings from the environment, out of which they are taken: children need not see them."""
    given = os.environ.pop(SETTINGS_VARIABLE, None)
    return Settings.model_validate_json(given) if given else load_settings()


def run_head(settings: Settings, host: HostMaker) -> NoReturn:
    """Be the head of `settings.home`; ends the process."""
    stand_guard()
    code = 1
    try:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        code = _reign(settings, host, os.environ)
    except Ai3Error as error:
        print(f"error: {error.message}", file=sys.stderr)  # noqa: T201 - its starter quotes the log's last line
    except Exception:  # noqa: BLE001 - the edge of the process
        _log.exception("the head failed")
    finally:
        # Ray's threads and exit handlers may hang; all that matters has been closed by now.
        sys.stderr.flush()
        os._exit(code)


def _reign(settings: Settings, host: HostMaker, env: Mapping[str, str]) -> int:
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    tenancy = claim(place_of(settings.home))
    if tenancy is None:
        return 0
    tenancy.announce(lambda salt: settings_fingerprint(settings, dict(env), salt))
    _log.info("head %d of %s", os.getpid(), settings.home)
    return asyncio.run(Head(settings, tenancy, host(tenancy.place)).live())


class Head:
    """A head from listening to leaving.

    Args:
        settings: `head_idle_s` is the head's own; the rest is the host's.
        tenancy: the hold on the home.
        host: boots the engine when entered.
    """

    def __init__(self, settings: Settings, tenancy: Tenancy, host: Host) -> None:
        self._idle_s = settings.head_idle_s
        self._tenancy = tenancy
        self._host = host
        self._gate = EngineGate()
        self._front = Front()
        self._leaving = asyncio.Event()
        self._served = asyncio.Event()
        self._kept = False
        self._code = 0

    async def live(self) -> int:
        """Serve until it is time to leave; returns the exit code."""
        self._own_signals()
        serving = asyncio.create_task(self._serve())
        hosting = asyncio.create_task(self._keep_engine())
        await self._leaving.wait()
        self._tenancy.vacate()
        self._gate.close()
        await serving
        self._served.set()
        await self._end_host(hosting)
        _log.info("head %d leaves", os.getpid())
        return self._code

    def leave(self, reason: str, code: int = 0) -> None:
        """Begin to leave; the first reason counts."""
        if not self._leaving.is_set():
            _log.info("leaving: %s", reason)
            self._code = code
            self._leaving.set()

    def keep(self) -> None:
        """Stay, however long nothing runs."""
        self._kept = True

    async def _serve(self) -> None:
        # Imported when the socket listens: clients queue in the kernel meanwhile.
        from ai3ray.server.app import build_app
        from ai3ray.server.unix_socket import socket_server

        from .routes import HeadEndpoints

        endpoints = HeadEndpoints(self._gate, lambda: self.leave("told to"), self.keep, self._front)
        app = build_app(self._gate, controls=endpoints.routes)
        server = socket_server(app)
        until = asyncio.create_task(self._end_server(server))
        try:
            await server.serve(sockets=[self._tenancy.listener])
        finally:
            self.leave("the server ended", 1)
            until.cancel()

    async def _end_server(self, server: SocketServer) -> None:
        await self._leaving.wait()
        server.should_exit = True

    async def _keep_engine(self) -> None:
        """Boot the engine, keep it until the last response is out, end it."""
        try:
            async with self._host as hosted:
                self._own_signals()  # ray.init has put a handler of its own in place of ours
                await hosted.engine.active()  # its first call makes a core open the journal
                self._front.attach(hosted.tcp)
                self._gate.open(hosted.engine)
                _log.info("the engine is up")
                await self._attend(hosted)
        except Exception as error:  # noqa: BLE001 - the edge of the engine: told to requests and log
            self._gate.fail(error)
            expected = isinstance(error, Ai3Error)
            _log.error("the engine failed: %s", error, exc_info=None if expected else error)
            if not self._gate.opened:
                await self._linger()
            self.leave("the engine failed", 1)

    async def _linger(self) -> None:
        """Stay for a moment after a boot that failed, so that whoever wanted the engine hears why."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), LINGER_S)

    async def _attend(self, hosted: Hosted) -> None:
        async with asyncio.TaskGroup() as group:
            chores = [group.create_task(self._watch_idleness(hosted))]
            chores += [group.create_task(self._watch_process(pid)) for pid in hosted.processes]
            await self._served.wait()
            for chore in chores:
                chore.cancel()

    async def _watch_idleness(self, hosted: Hosted) -> None:
        """Leave once no run has been going, and nobody was served on TCP, for `head_idle_s`."""
        loop = asyncio.get_running_loop()
        tick = min(max(self._idle_s / 10, 0.05), 5.0)
        busy_at = loop.time()
        while not self._kept:
            await asyncio.sleep(tick)
            if self._front.busy or await hosted.engine.active():
                busy_at = loop.time()
            elif loop.time() - max(busy_at, self._gate.used_at) >= self._idle_s:
                self.leave(f"nothing has run for {self._idle_s:g} s")
                return

    async def _watch_process(self, pid: int) -> None:
        """Leave when Ray dies: without gcs it would kill this process in a minute, without raylet no actor starts."""
        await ended(pid)
        self.leave(f"process {pid} of ray has ended; the next command starts anew", 1)

    async def _end_host(self, hosting: asyncio.Task[None]) -> None:
        if self._gate.opened:
            await asyncio.wait({hosting}, timeout=HOST_END_S)
        hosting.cancel()
        await asyncio.gather(hosting, return_exceptions=True)

    def _own_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)
            loop.add_signal_handler(signum, self.leave, signal.Signals(signum).name)


def _ray_host(settings: Settings, place: Place) -> Host:
    from ai3ray.executor.ray.boot import boot_local

    from .ray_thread import ray_host

    return ray_host(boot_local, settings, place)


def _inline_host(settings: Settings) -> Host:
    from ai3ray.server.in_process import inline_host

    return inline_host(settings, os.environ)
