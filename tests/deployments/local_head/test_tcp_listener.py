"""The head's front on TCP: opened for one caller and gone with it, however it goes. The server is a thread's toy."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ai3ray.client.client import Client
from ai3ray.domain.access import AccessRules
from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import EngineError, ServerRefused
from ai3ray.server.app import build_app
from ai3ray.server.unix_socket import listen, socket_server
from deployments.local_head.routes import HeadControls
from deployments.local_head.tcp_listener import TcpListener

REQUEST = ServeRequest(host="127.0.0.1", port=8000, rules=AccessRules())


class Toy:
    """A server that opens when it may, and counts."""

    def __init__(self) -> None:
        self.may_open = threading.Event()
        self.may_open.set()
        self.fails: Exception | None = None
        self.opened = self.closed = 0

    def open(self, request: ServeRequest) -> str:
        assert self.may_open.wait(10)
        if self.fails is not None:
            raise self.fails
        self.opened += 1
        return f"http://{request.host}:{request.port}"

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
async def toy():
    return Toy()


@pytest.fixture
async def tcp_listener(toy) -> TcpListener:
    tcp_listener = TcpListener()
    tcp_listener.attach(toy)
    return tcp_listener


@pytest.fixture
async def client(gate, tcp_listener, short_path):
    server = socket_server(
        build_app(gate, controls=HeadControls(gate, lambda: None, tcp_listener=tcp_listener).endpoints())
    )
    task = asyncio.create_task(server.serve(sockets=[listen(short_path / "s")]))
    async with Client(socket=short_path / "s") as client:
        yield client
    gate.close()
    server.should_exit = True
    await task


async def until(tcp_listener: TcpListener, *statuses: str) -> None:
    async with asyncio.timeout(10):
        while tcp_listener.serving.status not in statuses:
            await tcp_listener.changed.wait()


async def test_whoever_asks_is_told_each_change_and_the_end(client, tcp_listener, toy, short_path):
    seen = []
    async for serving in client.serve(REQUEST):
        seen.append(serving.status)
        if serving.status == "serving":
            assert serving.url == "http://127.0.0.1:8000"
            async with Client(socket=short_path / "s") as other:
                await other.unserve()
    assert seen[-2:] in (["stopping", "off"], ["serving", "off"])
    assert (seen[0], toy.opened, toy.closed, tcp_listener.busy) == ("starting", 1, 1, False)


async def test_it_closes_when_its_caller_dies(client, tcp_listener, toy):
    changes = client.serve(REQUEST)
    async for serving in changes:
        if serving.status == "serving":
            break
    await changes.aclose()  # the connection breaks, as it does when a process is killed
    await until(tcp_listener, "off")
    assert (toy.closed, tcp_listener.busy) == (1, False)


async def test_a_caller_that_dies_while_it_opens_leaves_nothing_open(client, tcp_listener, toy):
    toy.may_open.clear()
    changes = client.serve(REQUEST)
    assert (await anext(changes)).status == "starting"
    await changes.aclose()
    async with asyncio.timeout(10):
        while not tcp_listener._close_requested.is_set():
            await asyncio.sleep(0.01)
    toy.may_open.set()
    await until(tcp_listener, "off")
    assert (toy.opened, toy.closed) == (1, 1)


async def test_there_is_one_at_a_time_and_the_second_is_told_where(client, tcp_listener):
    changes = client.serve(REQUEST)
    async for serving in changes:
        if serving.status == "serving":
            break
    with pytest.raises(ServerRefused, match="on http://127") as refused:
        await anext(client.serve(REQUEST))
    assert refused.value.status == 409
    await changes.aclose()


async def test_the_next_one_waits_until_the_last_one_s_port_is_free(tcp_listener, toy):
    await tcp_listener.open(REQUEST)
    await until(tcp_listener, "serving")
    tcp_listener.request_close()
    await tcp_listener.open(REQUEST)
    await until(tcp_listener, "serving")
    assert (toy.opened, toy.closed) == (2, 1)
    await tcp_listener.close()


async def test_what_went_wrong_is_told_in_one_line(client, toy):
    toy.fails = EngineError("Traceback ...\n\n  port 8000 is taken\n")
    last = [serving async for serving in client.serve(REQUEST)][-1]
    assert last == ServeState(status="failed", message="port 8000 is taken")
    assert toy.closed == 1  # what had been started goes again


async def test_a_head_without_ray_says_so(gate, short_path):
    server = socket_server(
        build_app(gate, controls=HeadControls(gate, lambda: None, tcp_listener=TcpListener()).endpoints())
    )
    task = asyncio.create_task(server.serve(sockets=[listen(short_path / "s")]))
    async with Client(socket=short_path / "s") as client:
        with pytest.raises(ServerRefused, match="without Ray"):
            await anext(client.serve(REQUEST))
    server.should_exit = True
    await task


async def test_a_head_that_serves_is_not_idle(client, tcp_listener):
    changes = client.serve(REQUEST)
    await anext(changes)
    with pytest.raises(ServerRefused, match="busy"):
        await client.stop_head(idle=True)
    await changes.aclose()
    await tcp_listener.close()
    await client.stop_head(idle=True)
