"""A detached run: its id on stdout, the run itself in the head."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ai3(head_home, simulator):
    env = {**head_home.env, "PYTHONPATH": str(ROOT)}

    def call(*words):
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            env=env,
            cwd=head_home.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_a_detached_run_goes_on_when_its_command_has_left(ai3):
    run_id = ai3("run", "Say hello", "--no-plan", "--no-verify", "--detach").strip()
    assert run_id.startswith("run_")
    assert ai3("runs", "watch", run_id).strip()
    assert json.loads(ai3("runs", "show", run_id, "--json"))["status"] == "succeeded"


def test_its_json_is_its_id_and_status(ai3):
    run = json.loads(ai3("run", "Say hello", "--no-plan", "--no-verify", "--detach", "--json"))
    assert run.keys() == {"run_id", "status"}
    assert run["status"] == "queued"
