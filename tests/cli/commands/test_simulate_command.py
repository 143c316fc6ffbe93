"""`ai3 simulate` says where it listens, serves, and ends when told to."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from cli.command_errors import run_command_line
from cli.root import command_tree

ENV = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def test_it_prints_its_addresses_serves_there_and_ends_with_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "cli", "simulate", "--seed", "7", "--latency", "0"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=ENV, **pipes) as simulator:
        ready, *exports = [next(simulator.stdout).strip() for _ in range(4)]
        assert ready.startswith("# simulator ready at http://127.0.0.1:")
        base = ready.split()[4].rstrip(",")
        assert exports == [
            f"export ANTHROPIC_BASE_URL={base}/anthropic",
            f"export OPENAI_BASE_URL={base}/openai/v1",
            f"export XAI_BASE_URL={base}/xai/v1",
        ]
        with urllib.request.urlopen(f"{base}/_sim/ledger", timeout=10) as reply:
            assert json.load(reply) is not None
        simulator.send_signal(signal.SIGINT)
        out, err = simulator.communicate(timeout=20)
    assert (simulator.returncode, out, err) == (0, "", "")


def test_a_port_that_is_taken_is_one_line_that_names_it(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_command_line(command_tree(), ["simulate", "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in err
    assert err.count("\n") == 1


def test_a_setting_that_is_wrong_is_exit_2(capsys):
    for words in (["--latency", "-1"], ["--tokens-per-s", "0"], ["--config", "nowhere.toml"], ["--port", "99999"]):
        assert run_command_line(command_tree(), ["simulate", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_config_with_a_key_that_is_unknown_is_one_line_and_exit_2(tmp_path, capsys):
    file = tmp_path / "sim.toml"
    file.write_text("[limits.openai]\nrpx = 1\n")
    assert run_command_line(command_tree(), ["simulate", "--config", str(file)]) == 2
    err = capsys.readouterr().err
    assert f"{file}: limits.openai.rpx: no such setting" in err
    assert err.count("\n") == 1


def test_a_latency_that_is_none_is_one_line_that_tells_the_forms(tmp_path, capsys):
    empty = tmp_path / "calls.json"
    empty.write_text("[]")
    for spec, words in (("soon", "lognormal:S,SIGMA"), ("constant:x", "constant:S"), (str(empty), "no measured calls")):
        assert run_command_line(command_tree(), ["simulate", "--latency", spec]) == 2
        err = capsys.readouterr().err
        assert words in err
        assert err.count("\n") == 1
