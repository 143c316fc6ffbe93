"""Hosting the simulator: for a command, inside an event loop, or in a thread beside synchronous code."""

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

from ai3ray.simulator.faults import read_faults
from ai3ray.simulator.ledger import Ledger
from ai3ray.simulator.server import app
from ai3ray.simulator.settings import SimulatorSettings
from ai3ray.simulator.simulation import Simulation

LOOPBACK = "127.0.0.1"


class Simulator:
    """A running simulator, as the code that started it sees it.

    Args:
        base_url: where it listens, without a path.
        simulation: its state.
    """

    def __init__(self, base_url: str, simulation: Simulation) -> None:
        self.base_url = base_url
        self.simulation = simulation

    @property
    def ledger(self) -> Ledger:
        """What was asked and billed."""
        return self.simulation.ledger

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Replace all fault rules; each as in `POST /_sim/faults`. Raises RequestError."""
        self.simulation.faults.set(read_faults(list(rules)))

    def reset(self) -> None:
        """Forget faults, counters, ledger and rate limits."""
        self.simulation.reset()

    def env(self) -> dict[str, str]:
        """Variables that send every provider's calls here, with a key each."""
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
        settings: how it behaves.
        host: address to listen on; loopback unless told otherwise.
        port: port to listen on; 0 for a free one.
        ready: called with the simulator as soon as it listens.

    Raises:
        OSError: the address cannot be listened on.
    """
    listener = _listen(host, port)
    simulator = _simulator(settings, listener)
    server = _server(simulator, lambda: ready(simulator) if ready else None)
    server.run(sockets=[listener])


@contextlib.asynccontextmanager
async def running(
    settings: SimulatorSettings | None = None, *, host: str = LOOPBACK, port: int = 0
) -> AsyncIterator[Simulator]:
    """A simulator in this event loop; it ends with the block, whatever is still open.

    Args:
        settings: how it behaves; the packaged settings when absent.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
    """
    listener = _listen(host, port)
    simulator = _simulator(settings or SimulatorSettings.load(), listener)
    up = asyncio.Event()
    server = _server(simulator, up.set, signals=False)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    starting = asyncio.create_task(up.wait())
    try:
        await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
        yield simulator
    finally:
        starting.cancel()
        server.hang_up()
        await serving


@contextlib.contextmanager
def running_in_thread(settings: SimulatorSettings | None = None) -> Iterator[Simulator]:
    """A simulator in a thread of its own, for synchronous code and for tests that share one."""
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
    """Uvicorn, told apart from a command's server in that it leaves signals alone and can be ended at once."""

    def __init__(self, config: uvicorn.Config, up: Callable[[], None], *, signals: bool) -> None:
        super().__init__(config)
        self._up = up
        self._signals = signals

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        await super().startup(list(sockets or ()))
        self._up()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals() if self._signals else contextlib.nullcontext():
            yield

    def hang_up(self) -> None:
        """Close every connection, even one that is being answered, and stop."""
        self.should_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _server(simulator: Simulator, up: Callable[[], None], *, signals: bool = True) -> _Server:
    config = uvicorn.Config(
        app(simulation=simulator.simulation),
        http=_connection_class(),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, up, signals=signals)


def _connection_class() -> type[asyncio.Protocol]:
    base: Any = AutoHTTPProtocol

    class Connection(base):  # type: ignore[misc]
        """A connection that its requests can tear down: that is what some faults are."""

        app_state: dict[str, Any]

        def connection_made(self, transport: asyncio.Transport) -> None:
            self.app_state = {**self.app_state, "transport": transport}
            super().connection_made(transport)

    return Connection


def _simulator(settings: SimulatorSettings, listener: socket.socket) -> Simulator:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return Simulator(f"http://{shown}:{port}", Simulation(settings))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)
