"""`serve run deployments.serve:app`: the owner of a home in a Ray of its own. Neither it nor a key stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from httpx_sse import connect_sse
from pydantic import SecretStr

from ai3ray.client.client import Client
from ai3ray.domain.access import new_api_key
from ai3ray.domain.request import RunRequest
from ai3ray.executor.ray.environment import LOOPBACK
from tests.conftest import Home, make_home
from tests.executor.graphs import DIAMOND, wide

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SERVE = Path(sys.executable).with_name("serve")
CHECKOUT = Path(__file__).parents[2]
BOOT_S = 150.0

ALICE, ALICE_KEY = new_api_key("alice", ["run", "read", "sql"])
# The simulator takes every key but one that has `bad` in it, and quotes that one in its refusal.
PROVIDER_KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-canary-1c0ffee1",
    "OPENAI_API_KEY": "sk-canary-2c0ffee2",
    "XAI_API_KEY": "xai-canary-bad-3c0ffee3",
}
CANARIES = [*PROVIDER_KEYS.values(), ALICE, "ai3_canary-of-a-stranger"]


@dataclass
class ServeRun:
    """One `serve run` and all that it said."""

    home: Home
    process: subprocess.Popen[bytes]
    log: Path
    ray_dir: Path
    url: str
    told: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, key: str = ALICE, **options) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} | options.pop("headers", {})
        response = httpx.request(method, f"{self.url}{path}", headers=headers, timeout=60, **options)
        self.told.append(f"{response.headers} {response.text}")
        return response


def serve_run(home: Home, log: Path, ray_dir: Path, host: str) -> subprocess.Popen[bytes]:
    env = {**home.env, "RAY_SERVE_DEFAULT_HTTP_HOST": host, "RAY_TMPDIR": str(ray_dir), "PYTHONPATH": str(CHECKOUT)}
    with log.open("wb") as stream:
        command = [SERVE, "run", "deployments.serve:app"]
        streams = {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": stream}
        # A shell starts what is to run in the background with Ctrl-C ignored, and `serve run` leaves that as it is.
        return subprocess.Popen(command, env=env, cwd=home.path, preexec_fn=_hear_ctrl_c, **streams)


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def running(shared_simulator) -> Iterator[ServeRun]:
    shared_simulator.reset()
    with tempfile.TemporaryDirectory(prefix="ai3r-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        path, ray_dir = Path(folder) / "home", Path(folder) / "ray"
        path.mkdir()
        ray_dir.mkdir()
        keys = PROVIDER_KEYS | {"AI3_API_KEYS": ALICE_KEY.entry()}
        home = make_home(path, shared_simulator, **keys)
        # An address of this computer's own that nobody else is likely to use, for the port is always 8000.
        host = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.7" if sys.platform == "linux" else "127.0.0.1"
        log = Path(folder) / "serve.log"
        running = ServeRun(home, serve_run(home, log, ray_dir, host), log, ray_dir, f"http://{host}:8000")
        try:
            _wait_until_up(running)
            yield running
        finally:
            running.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(60)
            running.process.kill()


def _wait_until_up(running: ServeRun) -> None:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline and running.process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{running.url}/healthz").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(running.log.read_text())


def test_it_runs_streams_and_asks_for_keys(running):
    run = running.ask("POST", "/run", json={"prompt": "Write a 3-section blog post about AI"}).json()
    assert (run["status"], len(run["tasks"])) == ("succeeded", 3)
    with (
        httpx.Client(base_url=running.url, headers={"x-api-key": ALICE}, timeout=60) as http,
        connect_sse(http, "POST", "/stream/run", json={"prompt": "", "plan": DIAMOND}) as source,
    ):
        events = list(source.iter_sse())
    assert (events[0].event, events[-1].event) == ("run_start", "stats")
    assert running.ask("GET", "/runs", key="ai3_canary-of-a-stranger").status_code == 401
    assert httpx.post(f"{running.url}/run", json={"prompt": "x"}).status_code == 401
    owners = running.ask("POST", "/sql", json={"query": "SELECT DISTINCT owner FROM runs"}).json()["rows"]
    assert owners == [{"owner": "alice"}]


def test_nothing_of_it_listens_to_the_network(running):
    family = [psutil.Process(running.process.pid), *psutil.Process(running.process.pid).children(recursive=True)]
    ours = {process.pid for process in family}
    listening = {c.laddr.ip for c in psutil.net_connections("inet") if c.status == "LISTEN" and c.pid in ours}
    assert {ip.removeprefix("::ffff:").partition(".")[0] for ip in listening} == {"127"}


def test_none_of_it_yields_to_other_processes(running):
    processes = psutil.Process(running.process.pid).children(recursive=True)
    assert {process.nice() for process in processes} == {psutil.Process(running.process.pid).nice()}


def test_a_second_owner_of_the_home_stops_with_one_line_that_names_the_first(running, home_folder):
    log = home_folder / "second.log"
    began = time.monotonic()
    second = serve_run(running.home, log, home_folder, "127.0.0.1")
    assert second.wait(BOOT_S) == 1
    said = [line for line in log.read_text().splitlines() if line.startswith("ai3:")]
    assert len(said) == 1
    owner = next(int(word) for word in said[0].split() if word.isdigit())
    assert owner in {child.pid for child in psutil.Process(running.process.pid).children(recursive=True)}
    assert "Ctrl-C" in said[0]
    assert "Traceback" not in log.read_text()
    assert time.monotonic() - began < BOOT_S
    assert running.ask("GET", "/healthz").status_code == 200


UPDATE = """
import ray
from ray import serve

from deployments.serve import application, prepare

ray.init(address="auto", log_to_driver=False)
settings, rules = prepare()
changed = rules.model_copy(update={"origins": ("https://updated.example",)})
serve.run(application(settings, changed, grace_s=2.0, replicas=2))
"""


def test_an_update_replaces_the_replica_and_costs_nobody_a_run_nor_an_event(running, shared_simulator):
    """New replicas, of which there are two now, take over while a run goes on and is followed."""
    shared_simulator.set_faults({"contains": "black tea", "when": {"first": 1}, "fault": "stall", "seconds": 30})
    before = _replicas(running)
    seen = asyncio.run(_followed_through_an_update(running))
    shared_simulator.set_faults()
    assert seen == list(range(1, len(seen) + 1))
    after = _replicas(running)
    assert (len(after), before & after) == (2, set())


async def _followed_through_an_update(running: ServeRun) -> list[int | None]:
    """The numbers of a run's events as one client saw them, which had to come again in between."""
    env = {**running.home.env, "RAY_TMPDIR": str(running.ray_dir), "PYTHONPATH": str(CHECKOUT)}
    env |= LOOPBACK  # as in `serve run`
    seen = []
    async with Client(running.url, key=SecretStr(ALICE)) as client, asyncio.timeout(120):
        accepted = await client.submit(RunRequest.model_validate({"plan": DIAMOND, "verify": False}))
        update: asyncio.Task[int] | None = None
        async for event in client.events(accepted.run_id):
            seen.append(event.seq)
            if event.type == "task_start" and update is None:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-c", UPDATE, env=env, cwd=running.home.path
                )
                update = asyncio.create_task(process.wait())
        assert update is not None
        assert await update == 0
        assert (await client.result(accepted.run_id)).status == "succeeded"
    return seen


def _replicas(running: ServeRun) -> set[int]:
    family = psutil.Process(running.process.pid).children(recursive=True)
    return {process.pid for process in family if "ServeReplica" in " ".join(process.cmdline())}


def test_runs_that_fail_show_no_key(running, shared_simulator):
    shared_simulator.set_faults({"fault": "auth"})
    failed = running.ask("POST", "/run", json={"prompt": "x", "plan": wide(2)}).json()
    shared_simulator.set_faults()
    assert failed["status"] == "failed"
    refused = running.ask("POST", "/run", json={"prompt": "x", "plan": wide(1), "models": ["xai/grok-4.7"]}).json()
    assert refused["status"] == "failed"
    assert "[key]" in running.ask("GET", f"/runs/{refused['run_id']}/events").text
    running.ask("POST", "/run", json={"prompt": "x", "api_key": "k"})
    running.ask("GET", f"/runs/{failed['run_id']}/events")
    for table in ("runs", "tasks", "attempts", "decisions", "events", "artifacts"):
        running.ask("POST", "/sql", json={"query": f"SELECT * FROM {table}"})
    assert [told for told in running.told if any(canary in told for canary in CANARIES)] == []


def test_ctrl_c_leaves_nothing_behind_and_no_key_anywhere(running):
    """The last one: it ends the server."""
    processes = psutil.Process(running.process.pid).children(recursive=True)
    assert any("CoreHost" in " ".join(process.cmdline()) for process in processes)
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(90) == 0
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert [process.cmdline() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert (running.home.path / "journal.duckdb").exists()
    files = [*_files(running.home.path), *_files(running.ray_dir), running.log]
    assert any("serve" in path.parts for path in files)  # Ray's own logs are among them
    assert [str(path) for path in files for canary in CANARIES if canary.encode() in path.read_bytes()] == []


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path
