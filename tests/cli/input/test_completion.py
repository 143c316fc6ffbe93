"""What Tab offers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tab(tmp_path, monkeypatch):
    """What bash is offered for a line."""
    for name in [name for name in os.environ if name.startswith("AI3_") or name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    (tmp_path / "ai3.toml").write_text('[providers.echo]\nwire = "scripted"\nmodels = ["a"]\n')
    env = {**os.environ, "AI3_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "_AI3_COMPLETE": "complete_bash"}

    def press(line):
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        command = [sys.executable, "-m", "cli"]
        done = subprocess.run(command, env=env | words, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return press


def test_commands_and_flags_are_offered(tab):
    assert tab("ai3 ru") == ["run", "runs"]
    assert {"--stream", "--detach"} <= set(tab("ai3 run --"))


def test_models_of_configured_providers_are_offered(tab):
    assert "echo/a" in tab("ai3 run --model e")
    assert not any(name.startswith("anthropic/") for name in tab("ai3 plan --planner-model "))


def test_runs_are_offered_and_a_home_without_any_is_no_error(tab):
    assert tab("ai3 runs show ") == ["last"]
    assert tab("ai3 runs show run_") == []
