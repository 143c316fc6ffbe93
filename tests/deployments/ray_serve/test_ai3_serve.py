"""`ai3 serve` on the session's head: real Ray Serve, real keys, real sockets."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import psutil
import pytest
from httpx_sse import aconnect_sse
from pydantic import SecretStr

from ai3ray.client.client import Client
from ai3ray.client.local_head import find_head, head_status
from ai3ray.domain.access import new_api_key
from tests.conftest import Home
from tests.executor.graphs import DIAMOND, asked, wide

pytestmark = pytest.mark.ray

ALICE, ALICE_KEY = new_api_key("alice", ["run", "read", "sql"])
BOB, BOB_KEY = new_api_key("bob", ["run", "read"])
SECRETS = {ALICE, BOB}


@dataclass
class Served:
    """An `ai3 serve` and what it serves."""

    home: Home
    url: str
    process: subprocess.Popen[str]

    def client(self, key: str = ALICE, **options) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {key}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60, **options)


def start(home: Home, port: int = 0) -> Served:
    env = {**home.env, "AI3_API_KEYS": f"{ALICE_KEY.entry()},{BOB_KEY.entry()}"}
    words = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=-1, stderr=-1, text=True)
    line = process.stdout.readline()
    assert line.startswith("serving http://"), process.stderr.read()
    return Served(home, line.split()[1], process)


@pytest.fixture(scope="module")
def served(head_home: Home) -> Iterator[Served]:
    served = start(head_home)
    yield served
    if served.process.poll() is None:
        served.process.send_signal(signal.SIGINT)
        served.process.communicate(timeout=60)


@pytest.fixture
async def http(served, simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with served.client() as client:
        yield client


async def listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def test_a_run_over_serve_is_the_run_of_its_key(served, http):
    run = (await http.post("/run", json={"prompt": "Write a 3-section blog post about AI"})).json()
    assert (run["status"], len(run["tasks"])) == ("succeeded", 3)
    async with served.client(BOB) as bob:
        for path in (f"/runs/{run['run_id']}", f"/runs/{run['run_id']}/events"):
            assert (await bob.get(path)).status_code == 404
        assert (await bob.get("/runs")).json()["runs"] == []
        assert (await bob.post("/sql", json={"query": "SELECT 1"})).status_code == 403
    async with served.client("ai3_nobody") as nobody:
        assert (await nobody.get("/runs")).status_code == 401
        assert (await nobody.get("/healthz")).json().keys() == {"status", "version"}
        assert (await nobody.post("/head/stop")).status_code == 404
    rows = (await http.post("/sql", json={"query": "SELECT DISTINCT owner FROM runs"})).json()["rows"]
    assert rows == [{"owner": "alice"}]


def test_nothing_of_it_listens_to_the_network(served):
    """Serve itself opens a port on every interface that unpickles whatever comes."""
    head = find_head(served.home.settings)
    family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
    assert any("ServeReplica" in " ".join(process.cmdline()) for process in family)
    ours = {process.pid for process in family}
    listening = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in ours}
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


async def test_a_killed_replica_costs_nobody_a_run_nor_an_event(served, simulator):
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 4})
    head = find_head(served.home.settings)
    seen = []
    async with Client(served.url, key=SecretStr(ALICE)) as client:
        accepted = await client.submit(asked(DIAMOND))
        async for event in client.events(accepted.run_id):
            seen.append(event.seq)
            if event.type == "task_start" and event.task_id == "right":
                for process in psutil.Process(head.pid).children(recursive=True):
                    if "ServeReplica" in " ".join(process.cmdline()):
                        process.kill()
        assert (await client.result(accepted.run_id)).status == "succeeded"
    assert seen == list(range(1, len(seen) + 1))


async def test_a_stream_over_serve_is_that_of_the_socket_byte_by_byte_and_resumes_anywhere(served, http):
    async with aconnect_sse(http, "POST", "/stream/run", json={"prompt": "", "plan": DIAMOND}) as source:
        assert source.response.headers["x-accel-buffering"] == "no"
        assert source.response.headers["cache-control"] == "no-cache, no-transform"
        run_id = source.response.headers["x-ai3-run-id"]
        events = [event async for event in source.aiter_sse()]
    assert events[-1].event == "stats"
    assert {"task_delta", "task_artifact"} <= {event.event for event in events}
    whole = (await http.get(f"/runs/{run_id}/events")).content
    head = find_head(served.home.settings)
    transport = httpx.AsyncHTTPTransport(uds=str(head.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://head") as direct:
        assert (await direct.get(f"/runs/{run_id}/events")).content == whole
    frames = whole.split(b"\n\n")[:-1]
    rest = await http.get(f"/runs/{run_id}/events", headers={"last-event-id": "7"})
    assert rest.content == b"".join(frame + b"\n\n" for frame in frames[7:])


async def test_the_first_events_come_while_the_run_is_going_and_a_slow_reader_slows_nobody(http, simulator):
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 60})
    async with aconnect_sse(http, "POST", "/stream/run", json={"prompt": "", "plan": DIAMOND}) as slow:
        async for event in slow.aiter_sse():
            if event.event == "task_start":
                break  # it is not read on; the run stalls until the fault is lifted
        run_id = slow.response.headers["x-ai3-run-id"]
        assert (await http.get(f"/runs/{run_id}")).json()["status"] == "running"
        await http.post(f"/runs/{run_id}/cancel")
        assert (await http.get(f"/runs/{run_id}")).json()["status"] == "cancelled"


async def test_a_client_that_leaves_ends_its_stream_and_not_its_run(http, simulator):
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 2})
    async with aconnect_sse(http, "POST", "/stream/run", json={"prompt": "", "plan": DIAMOND}) as source:
        run_id = source.response.headers["x-ai3-run-id"]
        async for event in source.aiter_sse():
            if event.event == "task_start":
                break
    waiting = asyncio.create_task(http.post("/run", json={"prompt": "", "plan": wide(2)}))
    while len(rows := (await http.get("/runs", params={"limit": 1})).json()["runs"]) < 1 or rows[0]["run_id"] == run_id:
        await asyncio.sleep(0.02)
    waiting.cancel()  # its connection is closed while it waits for the run's end
    for left in (run_id, rows[0]["run_id"]):
        events = (await http.get(f"/runs/{left}/events")).text
        assert "event: stats" in events
        assert (await http.get(f"/runs/{left}")).json()["status"] == "succeeded"


async def states(http: httpx.AsyncClient, run_id: str) -> dict[str, str]:
    """How each task stands."""
    return {task["id"]: task["status"] for task in (await http.get(f"/runs/{run_id}")).json()["tasks"]}


async def test_a_reader_that_leaves_takes_nothing_from_another_of_the_same_run(http, simulator):
    """They share their questions to the core."""
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 4})
    run_id = (await http.post("/runs", json={"prompt": "", "plan": DIAMOND})).json()["run_id"]
    path = f"/runs/{run_id}/events"
    async with asyncio.timeout(60):
        async with http.stream("GET", path) as leaver:
            await anext(leaver.aiter_text())
            stayer = asyncio.create_task(http.get(path))
            while {"left": "succeeded", "right": "running"}.items() - (await states(http, run_id)).items():
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.3)  # both have asked for what comes next, the one that leaves first
        stayed = (await stayer).text
    assert stayed == (await http.get(path)).text
    assert "event: stats" in stayed


async def test_the_stream_cut_at_every_event_and_resumed_is_byte_identical(http, simulator):
    run_id = (await http.post("/runs", json={"prompt": "", "plan": DIAMOND})).json()["run_id"]
    whole = (await http.get(f"/runs/{run_id}/events")).content
    frames = [frame + b"\n\n" for frame in whole.split(b"\n\n")[:-1]]
    assert frames[-1].startswith(b"id: %d\nevent: stats" % len(frames))
    for cut in range(len(frames) + 1):
        rest = await http.get(f"/runs/{run_id}/events", headers={"last-event-id": str(cut)})
        assert b"".join(frames[:cut]) + rest.content == whole, f"cut after event {cut}"


async def test_many_streams_are_open_at_a_time_and_one_more_is_429(http, simulator):
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 60})
    run_id = (await http.post("/runs", json={"prompt": "", "plan": DIAMOND})).json()["run_id"]
    path = f"/runs/{run_id}/events"
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        first: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in range(64)]

        async def follow(heard: asyncio.Future[None]) -> str:
            async with http.stream("GET", path) as response:
                text = ""
                async for piece in response.aiter_text():
                    text += piece
                    if not heard.done():
                        heard.set_result(None)
            return text

        streams = [group.create_task(follow(heard)) for heard in first]
        await asyncio.gather(*first)
        full = await http.get(path)
        assert (full.status_code, full.headers["retry-after"]) == (429, "5")
        await http.post(f"/runs/{run_id}/cancel")
    assert len({stream.result() for stream in streams}) == 1


async def test_ctrl_c_ends_serve_and_neither_the_head_nor_a_run(served, http, simulator):
    """The last one: the module's server is gone after it."""
    simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 4})
    head = find_head(served.home.settings)
    run_id = (await http.post("/runs", json={"prompt": "", "plan": DIAMOND})).json()["run_id"]
    async with http.stream("GET", f"/runs/{run_id}/events") as stream:
        await anext(stream.aiter_text())
        served.process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(served.process.communicate, timeout=60)
    assert (served.process.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "ai3: stopping the HTTP API; the local head and its runs go on"
    assert SECRETS.isdisjoint(err.split())
    assert not await listening(served.url)
    status = await head_status(served.home.settings)
    assert (status.head, status.status) == (head, "ok")
    names = [" ".join(process.cmdline()) for process in psutil.Process(head.pid).children(recursive=True)]
    assert not [name for name in names if "Serve" in name or "Proxy" in name]
    async with Client(socket=head.socket) as client:
        assert (await client.wait(run_id)).status == "succeeded"
    files = [path for path in served.home.path.rglob("*") if path.is_file() and not path.is_symlink()]
    leaks = [path for path in files for secret in SECRETS if secret.encode() in path.read_bytes()]
    assert (len(files) > 10, leaks) == (True, [])  # journal, notes, and Ray's logs
