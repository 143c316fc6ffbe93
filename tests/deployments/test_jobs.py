"""`ray job submit -- ai3 …` on a real cluster with Ray's Jobs API: its core is used, no head is started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ai3ray.executor.ray.environment import LOOPBACK, QUIET, cluster_address

CANARY = f"sk-ant-canary-{secrets.token_hex(8)}"
"""Made anew each time, so that not even this file holds it."""


class Cluster:
    """A Ray of one node, with its Jobs API."""

    def __init__(self, folder: Path, simulator) -> None:
        self.folder = folder
        self.home = folder / "home"
        self._port = _free_port()
        self._url = f"http://127.0.0.1:{self._port}"
        self._token = secrets.token_hex(32)
        root = Path(__file__).parents[2]
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AI3_", "RAY_"))},
            **simulator.env(),
            "ANTHROPIC_API_KEY": CANARY,
            "AI3_HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(root),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self._token,
            **QUIET,
            **LOOPBACK,
        }

    def __enter__(self) -> Cluster:
        words = [
            "--node-ip-address=127.0.0.1",
            "--port=0",
            "--num-cpus=2",
            "--object-store-memory=134217728",
            "--block",
        ]
        dashboard = ["--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={self._port}"]
        agent = [f"--dashboard-agent-listen-port={_free_port()}"]  # its own one may be another Ray's
        with (self.folder / "ray.log").open("w") as log:
            self._ray = subprocess.Popen(
                ["ray", "start", "--head", f"--temp-dir={self.folder / 'r'}", *words, *dashboard, *agent],
                env=self._env,
                executable=Path(sys.executable).parent / "ray",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            assert self._ray.poll() is None, (self.folder / "ray.log").read_text()
            assert time.monotonic() < deadline, (self.folder / "ray.log").read_text()
            time.sleep(0.2)
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.send_signal(signal.SIGTERM)  # with --block it ends all that it started
        self._ray.wait(60)

    def _answers(self) -> bool:
        try:
            return self.api("/api/jobs/").status_code == 200
        except httpx.TransportError:
            return False

    def api(self, path: str) -> httpx.Response:
        return httpx.get(self._url + path, headers={"Authorization": f"Bearer {self._token}"}, timeout=30)

    def cli(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = self._env | {"RAY_ADDRESS": self._url}
        env.pop("ANTHROPIC_API_KEY")
        command = [Path(sys.executable).parent / "ray", "job", *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)

    async def job(self, *words: str, runtime_env: str = "{}") -> str:
        """What `ray job submit` prints for `ai3 WORDS`, once the job has ended."""
        submit = ("submit", "--runtime-env-json", runtime_env, "--", "ai3", *words)
        async with asyncio.timeout(120):
            while True:
                done = await asyncio.to_thread(self.cli, *submit)
                said = done.stdout + done.stderr
                if "No available agent" not in said:  # the API answers before the agent that runs jobs is up
                    return said


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_jobs_use_the_clusters_core_and_leave_no_key_behind(shared_simulator, home_folder):
    shared_simulator.reset()
    with Cluster(home_folder, shared_simulator) as cluster:
        answered, refused, leaky = await asyncio.gather(
            cluster.job("run", "Write a 3-section blog post about AI"),
            cluster.job("run", "x", "--model", "nobody/x"),
            cluster.job("run", "x", runtime_env='{"env_vars": {"OPENAI_API_KEY": "sk-other"}}'),
        )
        assert "## Where AI comes from" in answered
        assert "there is no model 'nobody/x'" in refused
        assert "OPENAI_API_KEY is set in the job's runtime environment" in leaky
        assert ["exit code 2" in said for said in (answered, refused, leaky)] == [False, True, True]
        assert not (cluster.home / "head.json").exists(), "a head was started"
        assert (cluster.home / "journal.duckdb").exists()

        shared_simulator.reset()  # its ledger too: the next call in it is that of the job that is stopped
        shared_simulator.set_faults({"fault": "stall"})
        cluster.cli(
            "submit", "--no-wait", "--submission-id", "stopped", "--", "ai3", "run", "Three rivers", "--no-plan"
        )
        await _called(shared_simulator)
        cluster.cli("stop", "stopped")
        shared_simulator.reset()
        counts = "select status, count(*) as n from runs group by 1 order by 1"
        assert "cancelled,1\nsucceeded,1" in (await cluster.job("sql", counts, "--format", "csv")).replace("\r", "")

        paths = ("/api/jobs/", "/api/v0/tasks?detail=1", "/api/v0/actors?detail=1")
        shown = "".join(cluster.api(path).text for path in paths)
        assert CANARY not in shown
        for path in (*cluster.home.rglob("*"), *(home_folder / "r").rglob("*")):
            with contextlib.suppress(FileNotFoundError):  # Ray tidies up beside us
                assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def _called(simulator) -> None:
    async with asyncio.timeout(60):
        while not simulator.ledger.calls:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("env", "address"),
    [
        ({}, None),
        ({"RAY_ADDRESS": "10.0.0.7:6379"}, "10.0.0.7:6379"),
        ({"RAY_ADDRESS": "http://head:8265"}, None),
        ({"RAY_JOB_ID": "01000000"}, "auto"),
        ({"RAY_ADDRESS": "http://head:8265", "RAY_JOB_ID": "01000000"}, "auto"),
    ],
)
def test_a_dashboards_address_is_no_cluster_to_join(env, address):
    assert cluster_address(env) == address
