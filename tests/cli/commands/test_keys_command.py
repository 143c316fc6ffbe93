"""`ai3 keys new`, and what `ai3 serve` refuses before anything is started."""

from __future__ import annotations

import hashlib
import json
import socket

import pytest

from ai3ray.domain.access import parse_api_keys
from cli.command_errors import run_command_line
from cli.root import command_tree


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AI3_API_KEYS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def ai3(*words: str) -> int:
    return run_command_line(command_tree(), list(words))


def test_the_secret_is_printed_once_and_its_entry_as_the_server_wants_it(capsys, home):
    assert ai3("keys", "new", "alice", "--scope", "run,read") == 0
    out = capsys.readouterr().out
    (secret,) = [line for line in out.splitlines() if line.startswith("ai3_")]
    (entry,) = [line.removeprefix("AI3_API_KEYS=") for line in out.splitlines() if line.startswith("AI3_API_KEYS=")]
    (key,) = parse_api_keys(entry)
    assert (key.name, key.scopes) == ("alice", {"run", "read"})
    assert key.sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert out.count(secret) == 1
    assert not home.exists()  # it is kept nowhere


def test_the_same_as_json(capsys):
    assert ai3("keys", "new", "ops", "--scope", "admin", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert parse_api_keys(told["entry"])[0].sha256 == hashlib.sha256(told["secret"].encode()).hexdigest()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a:b"], "name"),
        (["-x"], ""),
        (["alice", "--scope", "run,write"], "'write'"),
        (["alice", "--scope", ","], "scope"),
        ([], "NAME"),
    ],
)
def test_a_wrong_name_or_scope_is_exit_2_in_one_line(words, says, capsys):
    assert ai3("keys", "new", *words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), says in err) == ("", 1, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_serving_the_network_without_keys_is_refused_before_anything_is_started(host, capsys, home):
    assert ai3("serve", "--host", host) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "AI3_API_KEYS" in err
    assert not home.exists()


def test_serving_with_keys_that_cannot_be_read_is_refused(capsys, monkeypatch, home):
    monkeypatch.setenv("AI3_API_KEYS", "alice:not-a-hash:run")
    assert ai3("serve") == 2
    err = capsys.readouterr().err
    assert ("AI3_API_KEYS" in err, "'alice'" in err, "not-a-hash" in err, home.exists()) == (True, True, False, False)


def test_a_port_that_is_taken_is_exit_2_before_anything_is_started(capsys, home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert ai3("serve", "--port", str(port)) == 2
    err = capsys.readouterr().err
    assert (f"127.0.0.1:{port}" in err, err.count("\n"), home.exists()) == (True, 1, False)
