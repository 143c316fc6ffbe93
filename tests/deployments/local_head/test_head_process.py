"""The head as a process, with an engine in memory instead of Ray: how it comes, is shared, and goes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ai3ray import __version__
from ai3ray.client.client import Client
from ai3ray.client.local_head import (
    HEAD_FILE,
    LOG,
    HeadAddress,
    ensure_head,
    find_head,
    head_status,
    read_head_file,
    stop_head,
)
from ai3ray.domain.request import RunRequest
from ai3ray.errors import HeadUnavailable, ServerRefused
from ai3ray.settings.model import ProviderSettings, Settings

SCRIPT = Path(__file__).parent / "memory_head.py"
ENV = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def command(what: str = "") -> list[str]:
    return [sys.executable, "-P", str(SCRIPT), what]


class Home:
    """A home whose heads are ended with the test."""

    def __init__(self, path: Path, bytecode: Path) -> None:
        self.settings = Settings(home=path, head_idle_s=60.0, providers={"p": ProviderSettings(api_key_env="P_KEY")})
        self.told: list[str] = []
        path.mkdir(mode=0o700)
        (path / "pycache").symlink_to(bytecode)  # compiling takes longer than starting

    def with_(self, **changes) -> Settings:
        return self.settings.model_copy(update=changes)

    async def ensure(self, what: str = "", settings: Settings | None = None, env: dict | None = None) -> HeadAddress:
        """A head whose engine is up."""
        settings = settings or self.settings
        head = await ensure_head(settings, env or ENV, notify=self.told.append, command=command(what))
        async with Client(socket=head.socket) as client:
            await client.stats()
        return head


@pytest.fixture(scope="module")
def bytecode(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
async def home(short_path, bytecode) -> AsyncIterator[Home]:
    home = Home(short_path / "home", bytecode)
    yield home
    with suppress(HeadUnavailable):
        await stop_head(home.settings)


async def until(true: Callable[[], bool], within_s: float = 10.0) -> float:
    """Seconds until something outside this process has become true."""
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < within_s, "it did not happen in time"
        await asyncio.sleep(0.005)
    return time.monotonic() - begin


def gone(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


async def test_the_first_command_starts_a_head_and_says_so_and_the_second_uses_it(home):
    first = await home.ensure()
    assert home.told == ["starting the local head …"]
    assert await home.ensure() == first
    assert len(home.told) == 1
    async with Client(socket=first.socket) as client:
        assert (await client.run(RunRequest(prompt="hi"))).output == "HI"


async def test_head_json_tells_where_it_is_and_is_private(home):
    head = await home.ensure()
    note = home.settings.home / HEAD_FILE
    told = json.loads(note.read_text())
    assert {"pid", "address", "socket", "version", "started", "config"} <= told.keys()
    assert (told["version"], told["pid"]) == (__version__, head.pid)
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert stat.S_IMODE(head.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.settings.home.stat().st_mode) == 0o700
    status = await head_status(home.settings)
    assert status is not None
    assert (status.head, status.status, status.runs_active) == (head, "ok", 0)


async def test_the_head_has_its_own_session_and_no_stream_of_its_starter(home):
    head = await home.ensure()
    assert os.getsid(head.pid) == head.pid != os.getsid(0)
    files = [os.readlink(f"/proc/{head.pid}/fd/{fd}") for fd in (0, 1, 2)]  # noqa: PTH115 - not a path
    assert files == ["/dev/null", str(home.settings.home / LOG), str(home.settings.home / LOG)]


async def test_no_secret_is_in_head_json_and_the_settings_leave_the_environment(home):
    env = ENV | {"P_KEY": "sk-secret", "AI3_SERVER_KEY": "sk-server"}
    head = await home.ensure(env=env)
    assert "sk-" not in (home.settings.home / HEAD_FILE).read_text()
    environment = psutil.Process(head.pid).environ()
    assert "AI3_SERVER_KEY" not in environment
    assert environment["P_KEY"] == "sk-secret"


async def test_two_starters_at_once_share_one_head(home):
    heads = await asyncio.gather(*(home.ensure() for _ in range(3)))
    assert len({head.pid for head in heads}) == 1

    # The losers have left: one head, and the guard that is its parent.
    def ours() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if str(SCRIPT) in process.cmdline() and process.cwd() == str(home.settings.home):
                    found.append(process)
        return found

    await until(lambda: len(ours()) == 2)


async def test_a_stopped_head_leaves_nothing_behind_and_the_next_is_a_new_one(home):
    first = await home.ensure()
    stopped = await stop_head(home.settings)
    assert stopped == first
    assert find_head(home.settings) is None
    assert not first.socket.exists()
    assert not (home.settings.home / HEAD_FILE).exists()
    assert await stop_head(home.settings) is None
    assert (await home.ensure()).pid != first.pid


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_head_in_order_although_a_library_took_the_handler(home, signum):
    head = await home.ensure()
    os.kill(head.pid, signum)
    await until(lambda: gone(head.pid))
    assert not (home.settings.home / HEAD_FILE).exists()
    assert signal.Signals(signum).name in (home.settings.home / LOG).read_text()


async def test_a_killed_head_takes_all_it_started_along_and_the_next_command_replaces_it(home):
    head = await home.ensure("child")
    child = int((home.settings.home / "child.pid").read_text())
    os.kill(head.pid, signal.SIGKILL)
    assert await until(lambda: gone(child) and gone(head.pid)) < 3.0
    assert read_head_file(home.settings.home) == head  # what is left lies
    assert find_head(home.settings) is None
    assert (await home.ensure()).pid != head.pid


async def test_a_head_that_leaves_takes_stubborn_children_along(home):
    await home.ensure("child")
    child = int((home.settings.home / "child.pid").read_text())
    await stop_head(home.settings)
    assert await until(lambda: gone(child)) < 3.0


async def test_the_head_leaves_when_a_process_it_depends_on_dies(home):
    head = await home.ensure("watched")
    child = int((home.settings.home / "child.pid").read_text())
    os.kill(child, signal.SIGKILL)
    await until(lambda: gone(head.pid))
    assert f"process {child}" in (home.settings.home / LOG).read_text()


async def test_stale_notes_and_sockets_do_no_harm(home):
    (home.settings.home / HEAD_FILE).write_text("{not json")
    (home.settings.home / "head.sock").touch()
    first = await home.ensure()
    note = (home.settings.home / HEAD_FILE).read_bytes()
    await stop_head(home.settings)
    (home.settings.home / HEAD_FILE).write_bytes(note)
    assert find_head(home.settings) is None
    assert (await home.ensure()).pid != first.pid


async def test_an_idle_head_leaves_and_one_with_a_run_stays(home):
    head = await home.ensure(settings=home.with_(head_idle_s=1.5))
    async with Client(socket=head.socket) as client:
        run_id = (await client.submit(RunRequest(prompt="hold"))).run_id
        await asyncio.sleep(2.0)
        assert (await client.health())["runs_active"] == 1
        await client.cancel(run_id)
    assert await until(lambda: gone(head.pid)) >= 1.2


async def test_a_kept_head_does_not_leave_when_idle(home):
    head = await home.ensure(settings=home.with_(head_idle_s=2.0))  # time enough to say so
    async with Client(socket=head.socket) as client:
        await client.keep_head()
    await asyncio.sleep(2.5)
    assert find_head(home.settings) == head


async def test_an_idle_head_with_other_keys_is_replaced(home):
    first = await home.ensure(env=ENV | {"P_KEY": "old"})
    second = await home.ensure(env=ENV | {"P_KEY": "new"})
    assert second.pid != first.pid
    assert any("other keys" in line for line in home.told)
    assert (await home.ensure(env=ENV | {"P_KEY": "new"})) == second


async def test_a_busy_head_with_other_limits_stays_and_is_named(home):
    head = await home.ensure()
    async with Client(socket=head.socket) as client:
        run_id = (await client.submit(RunRequest(prompt="hold"))).run_id
        other = home.with_(max_concurrency_per_provider=9)
        assert await home.ensure(settings=other) == head
        assert home.told[-1].startswith("warning:")
        assert str(head.pid) in home.told[-1]
        with pytest.raises(ServerRefused):
            await client.stop_head(idle=True)
        assert (await client.result(run_id)).status == "running"


async def test_a_head_of_another_version_is_replaced(home):
    first = await home.ensure()
    note = home.settings.home / HEAD_FILE
    note.write_text(first.model_copy(update={"version": "0.0.1"}).model_dump_json())
    second = await home.ensure()
    assert (second.pid != first.pid, second.version) == (True, __version__)
    assert any("0.0.1" in line for line in home.told)


async def test_an_open_stream_is_let_go_when_the_head_is_told_to_leave(home):
    head = await home.ensure()
    async with Client(socket=head.socket) as client:
        run_id = (await client.submit(RunRequest(prompt="hold"))).run_id
        events = client.events(run_id)
        await anext(events)
        begin = time.monotonic()
        await stop_head(home.settings)
        assert time.monotonic() - begin < 2.5
        with pytest.raises(HeadUnavailable, match=run_id):
            async for _ in events:
                pass


async def test_a_boot_that_fails_reaches_whoever_waits_for_the_engine(home):
    with pytest.raises(ServerRefused, match="as it was asked to"):
        await home.ensure("boot-error")
    await until(lambda: find_head(home.settings) is None)
    assert "the boot failed as it was asked to" in (home.settings.home / LOG).read_text()


async def test_a_head_that_cannot_start_is_reported_with_its_last_words(home):
    words = "import sys; print('noise', file=sys.stderr); sys.exit('error: no room here')"
    with pytest.raises(HeadUnavailable, match="no room here"):
        await ensure_head(home.settings, ENV, notify=home.told.append, command=[sys.executable, "-c", words])


async def test_a_long_home_gets_short_private_sockets(short_path, bytecode):
    home = Home(short_path / ("long" * 30), bytecode)
    head = await home.ensure()
    try:
        assert len(os.fsencode(head.socket)) < 100
        assert stat.S_IMODE(head.socket.parent.stat().st_mode) == 0o700
        assert find_head(home.settings) == head
    finally:
        await stop_head(home.settings)
        head.socket.parent.rmdir()


async def test_a_module_in_the_working_folder_is_not_imported(home, monkeypatch, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    (home.settings.home / "logging.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert await home.ensure()


async def test_the_head_keeps_a_bytecode_cache_even_where_python_was_told_not_to(home):
    (home.settings.home / "pycache").unlink()
    await home.ensure(env=ENV | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert any((home.settings.home / "pycache").rglob("deployments/local_head/head*.pyc"))
