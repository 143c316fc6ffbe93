"""Streams of events over a real server on a Unix socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from ai3ray.domain.events import parse_event
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.unix_socket import listen, socket_server


@asynccontextmanager
async def serving(gate: EngineGate, folder: Path, ping_s: float = 15.0) -> AsyncIterator[httpx.AsyncClient]:
    server = socket_server(build_app(gate, ping_s=ping_s))
    path = folder / "s"
    task = asyncio.create_task(server.serve(sockets=[listen(path)]))
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    async with httpx.AsyncClient(transport=transport, base_url="http://app", timeout=10) as client:
        yield client
    gate.close()
    server.should_exit = True
    await task


@pytest.fixture
async def http(gate, short_path) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(gate, short_path) as client:
        yield client


def frames_of(text: str) -> list[dict[str, str]]:
    assert text.endswith("\n\n")
    return [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in text[:-2].split("\n\n")]


async def test_a_frame_is_id_event_data_in_this_order_and_the_last_is_stats(http, engine):
    run_id = (await http.post("/run", json={"prompt": "zwölf"})).json()["run_id"]
    response = await http.get(f"/runs/{run_id}/events")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    expected = "".join(
        f"id: {item.seq}\nevent: {item.type}\ndata: {item.data}\n\n" for item in engine.all[run_id].items if item.seq
    )
    assert response.text == expected
    frames = frames_of(response.text)
    assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
    assert [frame["event"] for frame in frames] == [parse_event(frame["data"]).type for frame in frames]
    assert frames[-1]["event"] == "stats"


@pytest.mark.parametrize("by", ["header", "query"])
async def test_the_stream_is_byte_identical_from_every_id_on(http, by):
    run_id = (await http.post("/run", json={"prompt": "x"})).json()["run_id"]
    whole = (await http.get(f"/runs/{run_id}/events")).content
    ends = [at + 2 for at in range(len(whole)) if whole.startswith(b"\n\n", at)]
    for seq, end in enumerate(ends, 1):
        where = {"headers": {"Last-Event-ID": str(seq)}} if by == "header" else {"params": {"after": str(seq)}}
        assert (await http.get(f"/runs/{run_id}/events", **where)).content == whole[end:]


async def test_a_reconnecting_browser_s_header_goes_before_the_query(http):
    run_id = (await http.post("/run", json={"prompt": "x"})).json()["run_id"]
    response = await http.get(f"/runs/{run_id}/events?after=1", headers={"Last-Event-ID": "3"})
    assert frames_of(response.text)[0]["id"] == "4"


async def test_deltas_come_without_an_id_where_they_were_asked_for(http):
    posted = await http.post("/stream/run", json={"prompt": "x"})
    deltas = [frame for frame in frames_of(posted.text) if frame["event"] == "task_delta"]
    assert [set(frame) for frame in deltas] == [{"event", "data"}]
    assert (await http.get("/runs/run_1/events", params={"deltas": "true"})).content == posted.content
    assert "task_delta" not in (await http.get("/runs/run_1/events")).text


async def test_a_stream_follows_a_run_that_is_going(http, engine):
    run_id = (await http.post("/runs", json={"prompt": "hold"})).json()["run_id"]
    async with http.stream("GET", f"/runs/{run_id}/events") as response:
        chunks = response.aiter_text()
        assert "event: task_start" in await anext(chunks)
        engine.release.set()
        rest = [chunk async for chunk in chunks]
    assert "".join(rest).count("event: stats") == 1


async def test_silence_is_filled_with_comments_and_with_nothing_else(gate, engine, short_path):
    async with serving(gate, short_path, ping_s=0.02) as http:
        run_id = (await http.post("/runs", json={"prompt": "hold"})).json()["run_id"]
        async with http.stream("GET", f"/runs/{run_id}/events") as response:
            chunks = response.aiter_text()
            history = await anext(chunks)
            assert history.startswith("id: 1\n")
            pings = [await anext(chunks) for _ in range(3)]
            engine.release.set()
            rest = "".join([chunk async for chunk in chunks])
    assert set("".join(pings).split("\n\n")) == {": ping", ""}
    whole = "".join(f"id: {i.seq}\nevent: {i.type}\ndata: {i.data}\n\n" for i in engine.all[run_id].items if i.seq)
    assert history + rest.replace(": ping\n\n", "") == whole


@pytest.mark.parametrize("path", ["/run", "/stream/run"])
async def test_a_client_that_leaves_does_not_stop_its_run(http, engine, short_path, path):
    head = f"POST {path} HTTP/1.1\r\nhost: app\r\ncontent-length: 18\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(short_path / "s"))
        raw.sendall(head.encode() + b'{"prompt": "hold"}')
        await engine.asked.wait()
    assert (await http.get("/runs/run_1")).json()["status"] == "running"
    engine.release.set()
    assert (await http.get("/runs/run_1/events")).text.count("event: final") == 1


async def test_a_reader_that_leaves_takes_its_feed_with_it(http, engine):
    await http.post("/runs", json={"prompt": "hold"})
    async with http.stream("GET", "/runs/run_1/events") as response:
        await anext(response.aiter_text())
    feeds = [task for task in asyncio.all_tasks() if "MemoryEngine.feed" in str(task.get_coro())]
    await asyncio.wait_for(asyncio.gather(*feeds, return_exceptions=True), 5)


async def test_a_closing_server_ends_open_streams_before_stats(gate, engine, short_path):
    async with serving(gate, short_path) as http:
        await http.post("/runs", json={"prompt": "hold"})
        async with http.stream("GET", "/runs/run_1/events") as response:
            chunks = response.aiter_text()
            await anext(chunks)
            gate.close()
            assert [chunk async for chunk in chunks] == []


async def test_a_slow_reader_gets_every_event(http, engine):
    run_id = (await http.post("/runs", json={"prompt": "hold " + "y" * 300_000})).json()["run_id"]
    async with http.stream("GET", f"/runs/{run_id}/events") as response:
        chunks = response.aiter_raw()
        first = await anext(chunks)  # the server is left with more than the socket's buffers hold
        engine.release.set()
        body = first + b"".join([chunk async for chunk in chunks])
    assert [frame["id"] for frame in frames_of(body.decode())] == [
        str(item.seq) for item in engine.all[run_id].items if item.seq
    ]
