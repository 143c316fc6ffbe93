"""The local head, one background process per home: `python -P -m deployments.head`.

It owns the home's journal and its local Ray, and serves the app on a Unix socket. It stops on request, when idle,
or when its Ray dies.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from ai3ray.client.head_paths import HeadPaths, head_paths
from ai3ray.client.local_head import SETTINGS_VARIABLE
from ai3ray.errors import Ai3Error
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.port import Host, HostedEngine, HostMaker
from ai3ray.settings.fingerprint import settings_fingerprint
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import Settings

from .lock import HomeLock, lock_home
from .processes import wait_for_exit
from .reaper import start_reaper
from .tcp_listener import TcpListener

if TYPE_CHECKING:
    from ai3ray.server.unix_socket import SocketServer

HOST_END_S = 12.0
FAILED_BOOT_STAY_S = 2.0
"""Seconds in which requests get the reason of a failed boot."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_log = logging.getLogger("ai3ray.head")


def main() -> NoReturn:
    """Read the settings and serve their home until stopped."""
    parser = argparse.ArgumentParser(prog="ai3ray-head", description="the local head; started by ai3 itself")
    parser.add_argument("--engine", choices=("ray", "inline"), default="ray", help=argparse.SUPPRESS)
    engine = parser.parse_args().engine
    settings = read_settings()

    def host(paths: HeadPaths) -> Host:
        if engine == "inline":
            from ai3ray.server.in_process import inline_host

            return inline_host(settings, os.environ)
        from ai3ray.executor.ray.boot import boot_local

        from .ray_thread import ray_host

        return ray_host(boot_local, settings, paths)

    run_head(settings, host)


def read_settings() -> Settings:
    """Take the settings out of the environment, so that no child sees them; without them, load them."""
    given = os.environ.pop(SETTINGS_VARIABLE, None)
    return Settings.model_validate_json(given) if given else load_settings()


def run_head(settings: Settings, host: HostMaker) -> NoReturn:
    """Serve `settings.home`, then end the process; do nothing if another head serves that home."""
    start_reaper()
    code = 1
    try:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home_lock = lock_home(head_paths(settings.home))
        if home_lock is None:
            code = 0
        else:
            home_lock.publish(lambda salt: settings_fingerprint(settings, dict(os.environ), salt))
            _log.info("head %d of %s", os.getpid(), settings.home)
            code = asyncio.run(Head(settings, home_lock, host(home_lock.paths)).run())
    except Ai3Error as error:
        print(f"error: {error.message}", file=sys.stderr)  # noqa: T201 - its starter quotes the log's last line
    except Exception:  # noqa: BLE001 - the edge of the process
        _log.exception("the head failed")
    finally:
        # Ray's threads and exit handlers may hang; everything that matters is closed by now.
        sys.stderr.flush()
        os._exit(code)


class Head:
    """A head that serves the socket at once, and the engine once it has booted."""

    def __init__(self, settings: Settings, home_lock: HomeLock, host: Host) -> None:
        self._idle_s = settings.head_idle_s
        self._home_lock = home_lock
        self._host = host
        self._gate = EngineGate()
        self._tcp_listener = TcpListener()
        self._stopping = asyncio.Event()
        self._served = asyncio.Event()
        self._keep_running = False
        self._code = 0

    async def run(self) -> int:
        """Serve until `stop`; return the exit code."""
        self._install_signal_handlers()
        serving = asyncio.create_task(self._serve())
        hosting = asyncio.create_task(self._keep_engine())
        await self._stopping.wait()
        self._home_lock.withdraw()
        self._gate.close()
        await serving
        self._served.set()
        if self._gate.opened:
            await asyncio.wait({hosting}, timeout=HOST_END_S)
        hosting.cancel()
        await asyncio.gather(hosting, return_exceptions=True)
        _log.info("head %d stopped", os.getpid())
        return self._code

    def stop(self, reason: str, code: int = 0) -> None:
        """Begin to stop; only the first reason counts."""
        if not self._stopping.is_set():
            _log.info("stopping: %s", reason)
            self._code = code
            self._stopping.set()

    def keep_running(self) -> None:
        """Do not stop when idle."""
        self._keep_running = True

    async def _serve(self) -> None:
        try:
            # Imported after the socket listens: clients wait in the kernel's queue meanwhile.
            from ai3ray.server.app import build_app
            from ai3ray.server.unix_socket import socket_server

            from .routes import HeadControls

            controls = HeadControls(self._gate, lambda: self.stop("on request"), self.keep_running, self._tcp_listener)
            server = socket_server(build_app(self._gate, controls=controls.endpoints()))
            ending = asyncio.create_task(self._end_server(server))
            try:
                await server.serve(sockets=[self._home_lock.listener])
            finally:
                ending.cancel()
        finally:
            self.stop("the server ended", 1)

    async def _end_server(self, server: SocketServer) -> None:
        await self._stopping.wait()
        server.should_exit = True

    async def _keep_engine(self) -> None:
        """Boot the engine, keep it until the last response is sent, then end it."""
        try:
            async with self._host as hosted:
                self._install_signal_handlers()  # ray.init replaced ours
                await hosted.engine.active()  # its first call makes a core open the journal
                self._tcp_listener.attach(hosted.tcp)
                self._gate.open(hosted.engine)
                _log.info("engine started")
                await self._supervise(hosted)
        except Exception as error:  # noqa: BLE001 - the edge of the engine: shown to callers and logged
            self._gate.fail(error)
            expected = isinstance(error, Ai3Error)
            _log.error("the engine failed: %s", error, exc_info=None if expected else error)
            if not self._gate.opened:  # callers who wait for the boot get to read why it failed
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), FAILED_BOOT_STAY_S)
            self.stop("the engine failed", 1)

    async def _supervise(self, hosted: HostedEngine) -> None:
        async with asyncio.TaskGroup() as group:
            watches = [group.create_task(self._stop_when_idle(hosted))]
            watches += [group.create_task(self._stop_after_exit(pid)) for pid in hosted.processes]
            await self._served.wait()
            for watch in watches:
                watch.cancel()

    async def _stop_when_idle(self, hosted: HostedEngine) -> None:
        """Stop after `head_idle_s` seconds without a run, a request or a TCP server."""
        loop = asyncio.get_running_loop()
        tick = min(max(self._idle_s / 10, 0.05), 5.0)
        busy_at = loop.time()
        while not self._keep_running:
            await asyncio.sleep(tick)
            if self._tcp_listener.busy or await hosted.engine.active():
                busy_at = loop.time()
            elif loop.time() - max(busy_at, self._gate.used_at) >= self._idle_s:
                self.stop(f"idle for {self._idle_s:g} s")
                return

    async def _stop_after_exit(self, pid: int) -> None:
        """Stop when Ray dies: without gcs it kills this process after a minute, without raylet no actor starts."""
        await wait_for_exit(pid)
        self.stop(f"Ray process {pid} ended; the next command starts a new head", 1)

    def _install_signal_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in _SIGNALS:
            loop.remove_signal_handler(signum)
            loop.add_signal_handler(signum, self.stop, signal.Signals(signum).name)
