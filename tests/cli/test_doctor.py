"""What `ai3 doctor` says of a computer, a home and its providers; it starts nothing."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from ai3ray.simulator import running_in_thread
from cli.checks.finding import Finding, healthy
from cli.checks.home import check_home
from cli.command_context import load_context
from cli.command_errors import run_command_line
from cli.render.diagnosis_text import diagnosis_json, diagnosis_text
from cli.root import command_tree

KEY = "sk-secret-0123456789"


@pytest.fixture(scope="module")
def vendors():
    with running_in_thread() as simulator:
        yield simulator


@contextmanager
def answering(status):
    """The URL of a server that answers one request with this status."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        thread.join(5)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, and nothing set but that."""
    for name in [name for name in os.environ if name.startswith("AI3_") or name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AI3_LOCAL_MODEL", str(tmp_path / "no.gguf"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def doctor(capsys):
    """Its exit code, and its findings by name."""

    def call(*words):
        code = run_command_line(command_tree(), ["doctor", "--json", *words])
        out, _ = capsys.readouterr()
        assert KEY not in out
        report = json.loads(out)
        assert report["ok"] == (code == 0)
        return code, {check["name"]: check for check in report["checks"]}

    return call


def configure(monkeypatch, simulator):
    for name, value in simulator.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_with_providers_that_answer_all_is_well(doctor, monkeypatch, vendors, home):
    vendors.reset()
    configure(monkeypatch, vendors)
    code, found = doctor()
    assert code == 0
    assert [found[name]["status"] for name in ("anthropic", "openai", "xai")] == ["ok"] * 3
    assert found["openai"]["message"].endswith("takes the key in OPENAI_API_KEY")
    assert {"python", "ray", "duckdb", "home", "disk", "journal", "head"} <= found.keys()
    assert not (home / "head.json").exists()
    assert vendors.ledger.to_json()["totals"]["calls"] == 0


def test_without_a_key_it_says_which_variables(doctor):
    code, found = doctor()
    assert code == 1
    assert found["anthropic"]["status"] == "warn"
    assert "ANTHROPIC_API_KEY" in found["anthropic"]["remedy"]
    assert found["models from"]["status"] == "fail"
    assert found["local model"]["status"] == "warn"


def test_a_refused_key_names_its_variable(doctor, monkeypatch):
    with answering("401 Unauthorized") as url:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        code, found = doctor()
    assert code == 1
    assert "refuses the key in OPENAI_API_KEY" in found["openai"]["message"]


@pytest.mark.parametrize(("status", "expected"), [("404 Not Found", "warn"), ("503 Service Unavailable", "warn")])
def test_a_provider_without_a_list_or_in_trouble_is_a_warning(doctor, monkeypatch, status, expected):
    with answering(status) as url:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert doctor()[1]["openai"]["status"] == expected


def test_providers_that_cannot_be_reached_or_stay_silent_are_told_within_ten_seconds(doctor, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("cli.checks.providers.ANSWER_S", 0.5)
        monkeypatch.setenv("XAI_API_KEY", KEY)
        monkeypatch.setenv("XAI_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://no.such.host.invalid")
        began = time.monotonic()
        code, found = doctor()
    assert time.monotonic() - began < 10
    assert code == 1
    assert "does not answer within" in found["xai"]["message"]
    assert "cannot be reached" in found["openai"]["message"]
    assert "cannot be reached" in found["anthropic"]["message"]
    assert "ANTHROPIC_BASE_URL" in found["anthropic"]["remedy"]


def test_a_resolver_that_nobody_answers_does_not_hold_the_command_up():
    code = (
        "import asyncio, socket, sys, time\n"
        "from cli.checks import resolving\n"
        "socket.getaddrinfo = lambda *words, **more: time.sleep(60)\n"
        "async def main():\n"
        "    async with asyncio.timeout(0.2):\n"
        "        await resolving.resolve_host('http://slow.invalid/')\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except TimeoutError:\n"
        "    sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 7


def test_wrong_settings_are_a_finding_and_not_the_end(doctor, tmp_path):
    (tmp_path / "ai3.toml").write_text('max_concurrency = "many"\n')
    code, found = doctor()
    assert (code, found["settings"]["status"], found["python"]["status"]) == (1, "fail", "ok")
    assert "ai3.toml" in found["settings"]["message"]


def test_a_key_that_can_be_none_is_told_without_showing_it(doctor, monkeypatch):
    monkeypatch.setenv("XAI_API_KEY", f"{KEY} with blanks")
    assert doctor()[1]["xai"]["status"] == "fail"


def test_a_server_is_asked_instead(doctor):
    code, found = doctor("--server", "http://127.0.0.1:9")
    assert (code, found["server"]["status"]) == (1, "fail")
    assert "anthropic" not in found


async def test_a_stale_note_a_foreign_journal_and_a_locked_folder_are_told(home, tmp_path):
    home.mkdir()
    (home / "head.json").write_text("{}")
    (home / "journal.duckdb").write_text("no database")
    found = {finding.name: finding for finding in await check_home(load_context())}
    assert (found["head"].status, found["journal"].status) == ("warn", "fail")
    assert "journal.duckdb" in found["journal"].remedy


async def test_who_holds_the_journal_is_told(home):
    home.mkdir()
    code = f"import duckdb, sys; held = duckdb.connect({str(home / 'journal.duckdb')!r}); print(flush=True); input()"
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdin=pipe, stdout=pipe)
    await holder.stdout.readline()
    found = {finding.name: finding for finding in await check_home(load_context())}
    await holder.communicate(b"\n")
    assert found["journal"].message.endswith(f"is held by process {holder.pid}")


def test_a_diagnosis_is_a_line_each_with_remedies_below():
    findings = [Finding("python", "ok", "3.11"), Finding("xai", "fail", "no\nanswer\x1b[2J", "check it")]
    assert not healthy(findings)
    assert json.loads(diagnosis_json(findings))["checks"][0]["remedy"] is None
    assert diagnosis_text(findings).plain.splitlines() == [
        "ok    python  3.11",
        "fail  xai     no answer␛[2J",
        "              -> check it",
        "1 ok, 1 fail",
    ]
