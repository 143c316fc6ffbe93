"""The client against the real app on a Unix socket, with an engine in memory behind it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest
from pydantic import SecretStr

from ai3ray.client.client import Client, fill_request
from ai3ray.client.server_connection import error_from_reply
from ai3ray.domain.events import StatsEvent
from ai3ray.domain.request import RunRequest
from ai3ray.errors import (
    HeadUnavailable,
    KeyReused,
    PlanError,
    RequestError,
    ServerRefused,
    UnknownModel,
    UnknownRun,
    UsageError,
)
from ai3ray.server.in_process import serve_engine
from ai3ray.server.unix_socket import listen
from ai3ray.settings.model import Settings


@pytest.fixture
async def client(engine):
    async with serve_engine(engine) as path, Client(socket=path) as client:
        yield client


async def test_run_gives_the_finished_run(client):
    result = await client.run(RunRequest(prompt="hello"))
    assert (result.status, result.output) == ("succeeded", "HELLO")
    assert await client.result(result.run_id) == result


async def test_the_same_key_gives_the_same_run_and_no_key_a_new_one(client):
    request = RunRequest(prompt="x")
    assert await client.submit(request, key="k") == (await client.submit(request, key="k")).model_copy(
        update={"status": "queued"}
    )
    assert (await client.submit(request)).run_id != (await client.submit(request)).run_id
    with pytest.raises(KeyReused):
        await client.submit(RunRequest(prompt="y"), key="k")


async def test_what_the_caller_left_open_is_not_sent(client, engine):
    await client.run(RunRequest(prompt="x", verify=False, run_class="batch"))
    request = engine.all["run_1"].request
    assert request.model_fields_set == {"prompt", "verify", "run_class"}


async def test_stream_yields_events_and_deltas_and_ends_with_stats(client):
    events = [event async for event in client.stream(RunRequest(prompt="x"))]
    assert [event.type for event in events][:1] == ["run_start"]
    assert "task_delta" in [event.type for event in events]
    assert isinstance(events[-1], StatsEvent)


async def test_events_go_on_after_any_event_and_end_at_once_after_the_last(client):
    run_id = (await client.run(RunRequest(prompt="x"))).run_id
    whole = [event async for event in client.events(run_id)]
    assert [event async for event in client.events(run_id, after=3)] == whole[3:]
    assert [event async for event in client.events(run_id, after=whole[-1].seq)] == []


async def test_lists_plans_models_stats_and_tables_come_as_their_models(client):
    for n in range(3):
        await client.run(RunRequest(prompt=f"p{n}"))
    rows = await client.runs(limit=2)
    assert [row.prompt for row in rows] == ["p2", "p1"]
    assert [row.prompt for row in await client.runs(before=rows[-1].run_id)] == ["p0"]
    assert (await client.plan(RunRequest(prompt="x"))).estimate["seconds"] == 1.5
    assert (await client.models())[0].model == "scripted/echo"
    assert (await client.stats()).cost_usd == 0.25
    table = await client.sql("select 1", max_rows=2)
    assert (table.rows, table.truncated) == (((0, None), (1, None)), True)
    assert (await client.health())["status"] == "ok"


async def test_cancel_waits_for_the_end(client):
    accepted = await client.submit(RunRequest(prompt="hold"))
    assert (await client.cancel(accepted.run_id)).status == "cancelled"


async def test_resume_gives_the_run_as_it_stands(client, engine):
    accepted = await client.submit(RunRequest(prompt="hold"))
    assert (await client.resume(accepted.run_id)).status in ("queued", "planning", "running")
    assert engine.resumed == [accepted.run_id]
    with pytest.raises(UnknownRun):
        await client.resume("nope")


async def test_a_server_that_is_not_the_users_own_prunes_nothing(client):
    with pytest.raises(ServerRefused, match="no /head/prune"):
        await client.prune(0)


async def test_the_engine_s_errors_arrive_as_themselves(client):
    with pytest.raises(UnknownModel, match="nobody") as caught:
        await client.submit(RunRequest(prompt="x", models=("nobody",)))
    assert (caught.value.param, caught.value.exit_code) == ("models", 2)
    for attempt in (client.result("nope"), client.cancel("nope"), client.wait("nope"), client.result("../healthz")):
        with pytest.raises(UnknownRun):
            await attempt
    with pytest.raises(ServerRefused) as refused:
        await client.plan(RunRequest(prompt="fail"))
    assert (refused.value.status, refused.value.kind) == (503, "no_model_left")
    with pytest.raises(ServerRefused):
        await client.stop_head()


def test_an_envelope_becomes_the_error_it_names():
    body = b'{"error": {"type": "invalid_plan", "message": "task a: no", "param": "plan"}}'
    error = error_from_reply(400, body)
    assert isinstance(error, PlanError)
    assert (error.message, error.param) == ("task a: no", "plan")
    assert isinstance(error_from_reply(400, b'{"error": {"type": "invalid_request", "message": "m"}}'), RequestError)
    assert isinstance(
        error_from_reply(404, b'{"error": {"type": "not_found", "message": "m"}}', "/nope"), ServerRefused
    )
    assert isinstance(error_from_reply(502, b"<html>bad gateway</html>"), ServerRefused)


async def test_a_server_that_is_not_there_is_named(short_path, monkeypatch):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with Client(url) as client:
            with pytest.raises(HeadUnavailable, match=url):
                await client.submit(RunRequest(prompt="x"))
    async with Client(socket=short_path / "none") as client:
        with pytest.raises(HeadUnavailable, match="local head"):
            await client.health()


async def test_a_server_that_does_not_speak_json_is_named_as_such(tmp_path):
    async def page(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    async with server, Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(ServerRefused, match="JSON"):
            await client.stats()


def test_a_client_has_to_be_told_whom_it_serves():
    with pytest.raises(UsageError):
        Client()
    with pytest.raises(UsageError, match="ftp"):
        Client("ftp://x")


async def test_the_key_is_sent_and_not_shown():
    seen = []

    async def app(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(app, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Client(url, key=SecretStr("sesame")) as client:
        await client.health()
        assert "sesame" not in repr(vars(client))
    assert b"authorization: bearer sesame" in seen[0].lower()


class CutOff:
    """A relay in front of the app that cuts connections: the first `cuts` of them after `size` bytes of answer."""

    def __init__(self, target, cuts: int, size: int) -> None:
        self.target = target
        self.cuts = cuts
        self.size = size
        self.requests: list[bytes] = []

    async def handle(self, reader, writer) -> None:
        upstream_reader, upstream = await asyncio.open_unix_connection(str(self.target))
        request = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(request)
        cut = len(self.requests) <= self.cuts
        upstream.write(request)
        forward = asyncio.create_task(self._copy(reader, upstream))
        with suppress(ConnectionError):
            await self._copy(upstream_reader, writer, self.size if cut else None)
        forward.cancel()
        await asyncio.gather(forward, return_exceptions=True)
        for end in (writer, upstream):
            end.close()

    async def _copy(self, reader, writer, most=None) -> None:
        while (most is None or most > 0) and (data := await reader.read(most or 65536)):
            most = None if most is None else most - len(data)
            writer.write(data)
            await writer.drain()


async def test_a_submit_whose_answer_was_lost_is_sent_again_and_makes_one_run(engine, short_path, monkeypatch):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0, 0.0))
    async with serve_engine(engine) as path:
        relay = CutOff(path, cuts=2, size=10)
        server = await asyncio.start_unix_server(relay.handle, sock=listen(short_path / "s"))
        async with server, Client(socket=short_path / "s") as client:
            accepted = await client.submit(RunRequest(prompt="hold"))
        assert len(relay.requests) == 3
        assert list(engine.all) == [accepted.run_id]


@pytest.mark.parametrize("size", [300, 700, 1000])
async def test_a_broken_stream_is_taken_up_where_it_broke(engine, short_path, monkeypatch, size):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0, 0.0))
    async with serve_engine(engine) as path:
        run_id = (await engine.submit(RunRequest(prompt="x"))).run_id
        async with Client(socket=path) as direct:
            whole = [event async for event in direct.events(run_id)]
        relay = CutOff(path, cuts=2, size=size)
        server = await asyncio.start_unix_server(relay.handle, sock=listen(short_path / "s"))
        async with server, Client(socket=short_path / "s") as client:
            assert [event async for event in client.events(run_id)] == whole
        assert len(relay.requests) == 3


async def test_a_stream_that_keeps_breaking_ends_in_an_error_that_names_the_run(engine, short_path, monkeypatch):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0))
    async with serve_engine(engine) as path:
        run_id = (await engine.submit(RunRequest(prompt="hold"))).run_id
        relay = CutOff(path, cuts=99, size=20)
        server = await asyncio.start_unix_server(relay.handle, sock=listen(short_path / "s"))
        async with server, Client(socket=short_path / "s") as client:
            with pytest.raises(HeadUnavailable, match=run_id):
                await client.wait(run_id)
        assert len(relay.requests) == 3


async def test_a_head_that_went_away_is_brought_back_for_a_submit(engine, short_path, monkeypatch):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0))
    async with serve_engine(engine) as path:

        async def restart_head():
            return path

        async with Client(socket=short_path / "gone", restart_head=restart_head) as client:
            assert (await client.run(RunRequest(prompt="x"))).output == "X"


def test_a_local_request_is_filled_from_all_settings_and_a_remote_one_from_what_was_set():
    settings = Settings(max_concurrency=7, max_tasks=9, verify=False, explicit=frozenset({"max_tasks", "home"}))
    asked = RunRequest(prompt="x", repair_limit=0)
    local = fill_request(asked, settings, remote=False)
    assert (local.max_concurrency, local.max_tasks, local.verify, local.repair_limit) == (7, 9, False, 0)
    remote = fill_request(asked, settings, remote=True)
    assert (remote.max_concurrency, remote.max_tasks, remote.verify, remote.repair_limit) == (None, 9, None, 0)
