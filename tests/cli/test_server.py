"""`--server`: every command against a server on TCP, with a key, without one, and with nobody there."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from ai3ray.domain.access import AccessRules, new_api_key
from ai3ray.server.access.keys import Access
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.unix_socket import socket_server
from cli.command_errors import run_command_line
from cli.root import command_tree
from tests.server.memory import MemoryEngine

SECRET, KEY = new_api_key("alice", ["run", "read"])
READS, READ_KEY = new_api_key("reader", ["read"])
RULES = AccessRules(keys=(KEY, READ_KEY))

COMMANDS = {
    "run": ["run", "hello"],
    "run --json": ["run", "hello", "--json"],
    "run --stream": ["run", "hello", "--stream"],
    "run --detach": ["run", "hello", "--detach"],
    "plan": ["plan", "hello"],
    "runs list": ["runs", "list"],
    "runs show": ["runs", "show", "last"],
    "runs watch": ["runs", "watch", "last"],
    "runs cancel": ["runs", "cancel", "last"],
    "runs resume": ["runs", "resume", "last"],
    "models": ["models"],
    "runs show --decisions": ["runs", "show", "last", "--decisions"],
    "doctor": ["doctor"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of the app with keys, served from a thread: a command has a loop of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    url, ready, stop = f"http://127.0.0.1:{listener.getsockname()[1]}", Future(), threading.Event()

    async def serve() -> None:
        gate = EngineGate(MemoryEngine())
        listener.setblocking(False)
        serving = socket_server(build_app(gate, access=Access(RULES)))
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        ready.set_result(None)
        await asyncio.to_thread(stop.wait)
        gate.close()
        serving.should_exit = True
        await task

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.result(10)
    yield url
    stop.set()
    thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY", "AI3_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def ai3(*words: str) -> int:
    return run_command_line(command_tree(), list(words))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works_with_a_server_and_a_key(name, server, monkeypatch, capsys):
    monkeypatch.setenv("AI3_SERVER", server)
    monkeypatch.setenv("AI3_SERVER_KEY", SECRET)
    assert ai3("run", "the first") == 0
    capsys.readouterr()
    code = ai3(*COMMANDS[name])
    out, err = capsys.readouterr()
    assert code == 0 or name == "doctor"
    assert out + err
    assert "Traceback" not in err
    assert SECRET not in out + err


@pytest.mark.parametrize(
    ("name", "key", "says"),
    [
        *((name, None, "set AI3_SERVER_KEY") for name in COMMANDS),
        *((name, "ai3_wrong", "does not accept the key in AI3_SERVER_KEY") for name in ("run", "runs watch", "doctor")),
    ],
)
def test_without_the_right_key_one_line_names_the_variable(name, server, key, says, monkeypatch, capsys):
    monkeypatch.delenv("AI3_SERVER_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("AI3_SERVER_KEY", key)
    code = ai3(*COMMANDS[name], "--server", server)
    out, err = capsys.readouterr()
    if name == "doctor":
        assert (code, says in out) == (1, True)
        return
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert "ai3_wrong" not in err


def test_a_key_that_may_not_is_told_what_it_lacks(server, monkeypatch, capsys):
    monkeypatch.setenv("AI3_SERVER_KEY", READS)
    assert ai3("run", "hello", "--server", server) == 2
    assert "API key 'reader' lacks the 'run' scope" in capsys.readouterr().err


def test_a_run_of_somebody_else_is_an_unknown_one(server, monkeypatch, capsys):
    monkeypatch.setenv("AI3_SERVER", server)
    monkeypatch.setenv("AI3_SERVER_KEY", SECRET)
    assert ai3("run", "mine", "--json") == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    monkeypatch.setenv("AI3_SERVER_KEY", READS)
    monkeypatch.setattr("cli.input.run_refs.FULL_ID", __import__("re").compile("run_.*"))
    assert ai3("runs", "show", run_id) == 2
    assert "there is no run" in capsys.readouterr().err


def test_nobody_there_is_one_line_and_exit_1(monkeypatch, capsys):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0, 0.0))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert ai3("runs", "list", "--server", f"http://127.0.0.1:{port}") == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"http://127.0.0.1:{port} does not answer" in err


def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_away(server, monkeypatch, capsys):
    monkeypatch.setattr("ai3ray.client.server_connection.PAUSES_S", (0.0,))
    assert ai3("runs", "list", "--server", server.replace("http:", "https:")) == 1
    assert "it does not speak TLS: try http://" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http:/x"])
def test_what_is_no_url_is_a_usage_error(url, capsys):
    assert ai3("runs", "list", "--server", url) == 2
    assert "http://127.0.0.1:8000" in capsys.readouterr().err


def test_pruning_is_not_a_server_s_business(server, monkeypatch, capsys):
    monkeypatch.setenv("AI3_SERVER", server)
    assert ai3("runs", "prune", "--older-than", "1d", "--yes") == 2
    assert "AI3_SERVER" in capsys.readouterr().err
