"""Host the simulator for a command, in an event loop or in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ai3ray.simulator.billing import BillingLedger
from ai3ray.simulator.fault_rules import read_faults
from ai3ray.simulator.host.asgi_app import app
from ai3ray.simulator.host.client_connection import ClientConnection
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.simulator_settings import SimulatorSettings

LOOPBACK = "127.0.0.1"
_KEEP_ALIVE_S = 120
"""Longer than clients keep idle connections, so that none closes just as a client sends."""


class Simulator:
    """A running simulator."""

    def __init__(self, base_url: str, simulation: Simulation) -> None:
        self.base_url = base_url
        self.simulation = simulation

    @property
    def ledger(self) -> BillingLedger:
        """The requests and bills."""
        return self.simulation.ledger

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Replace all fault rules, each as in `POST /_sim/faults`. Raises RequestError."""
        self.simulation.faults.set(read_faults(list(rules)))

    def set_limits(self, **change: Any) -> None:
        """Change limits as in `POST /_sim/limits`. Raises RequestError."""
        self.simulation.accounts.change(change)

    def set_latency(self, **change: Any) -> None:
        """Change the pace as in `POST /_sim/latency`. Raises RequestError."""
        self.simulation.set_pace(change)

    def reset(self) -> None:
        """Clear ledger and accounts; restore faults, limits and pace to the settings."""
        self.simulation.reset()

    def env(self) -> dict[str, str]:
        """Return environment variables that direct every provider's calls here, each with a key."""
        return {
            "ANTHROPIC_BASE_URL": f"{self.base_url}/anthropic",
            "ANTHROPIC_API_KEY": "sk-ant-simulated",
            "OPENAI_BASE_URL": f"{self.base_url}/openai/v1",
            "OPENAI_API_KEY": "sk-simulated",
            "XAI_BASE_URL": f"{self.base_url}/xai/v1",
            "XAI_API_KEY": "xai-simulated",
        }


def run(
    settings: SimulatorSettings,
    host: str = LOOPBACK,
    port: int = 0,
    ready: Callable[[Simulator], None] | None = None,
) -> None:
    """Serve until interrupted. Prints nothing.

    Args:
        settings: the simulator's settings.
        host: the address to listen on.
        port: 0 for a free one.
        ready: called once the simulator listens.

    Raises:
        OSError: the address is not available.
        SettingsError: a file named by the settings cannot be used.
    """
    simulation = Simulation(settings)
    listener = _listen(host, port)
    simulator = Simulator(_url(listener), simulation)
    server = _server(simulator, lambda: ready(simulator) if ready else None)
    server.run(sockets=[listener])


@contextlib.asynccontextmanager
async def running(
    settings: SimulatorSettings | None = None, *, host: str = LOOPBACK, port: int = 0
) -> AsyncIterator[Simulator]:
    """Run a simulator in this event loop until the block ends, even with requests open."""
    simulation = Simulation(settings or SimulatorSettings.load())
    listener = _listen(host, port)
    simulator = Simulator(_url(listener), simulation)
    up = asyncio.Event()
    server = _server(simulator, up.set, signals=False)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    starting = asyncio.create_task(up.wait())
    try:
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        yield simulator
    finally:
        starting.cancel()
        server.stop_at_once()
        await serving


@contextlib.contextmanager
def running_in_thread(settings: SimulatorSettings | None = None) -> Iterator[Simulator]:
    """Run a simulator in a thread, for synchronous code or to share it between tests."""
    started: Future[tuple[Simulator, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        done = asyncio.Event()
        async with running(settings) as simulator:
            started.set_result((simulator, asyncio.get_running_loop(), done))
            await done.wait()

    def work() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=work, name="simulator", daemon=True)
    thread.start()
    simulator, loop, done = started.result()
    try:
        yield simulator
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


class _Server(uvicorn.Server):
    """A Uvicorn server that can ignore signals, stop at once and be unreachable for a while."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None], *, signals: bool) -> None:
        super().__init__(config)
        self._up = up
        self._signals = signals
        self._outage: asyncio.Task[None] | None = None

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(list(sockets or ()))
        self._up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.gather(self._outage, return_exceptions=True)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals() if self._signals else contextlib.nullcontext():
            yield

    def stop_at_once(self) -> None:
        """Stop and close every connection, even during an answer."""
        self.should_exit = True
        self._drop_all()

    def outage(self, seconds: float) -> None:
        """Drop all connections and refuse new ones for some seconds; an outage is never extended."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.ensure_future(self._unreachable(seconds))

    async def _unreachable(self, seconds: float) -> None:
        address = self.servers[0].sockets[0].getsockname()[:2]
        for server in self.servers:
            server.close()
        self._drop_all()
        await asyncio.sleep(seconds)
        await super().startup([_listen(*address)])

    def _drop_all(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _server(simulator: Simulator, up: Callable[[], None], *, signals: bool = True) -> _Server:
    def outage(seconds: float) -> None:
        server.outage(seconds)

    config = uvicorn.Config(
        app(simulation=simulator.simulation),
        http=_connection_class(outage),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, up, signals=signals)
    return server


def _connection_class(outage: Callable[[float], None]) -> type[asyncio.Protocol]:
    base: Any = AutoHTTPProtocol

    class Connection(base):  # type: ignore[misc]  # Uvicorn chooses the base at run time
        """A connection that its requests can abort."""

        app_state: dict[str, Any]

        def connection_made(self, transport: asyncio.Transport) -> None:
            self.app_state = {**self.app_state, "connection": ClientConnection(transport, outage)}
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self.app_state["connection"].closed()

    return Connection


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)
