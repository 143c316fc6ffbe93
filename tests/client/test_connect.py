"""Who serves a command: a server, a head, this process, or the file alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from ai3ray import connect as connecting
from ai3ray.client.client import Client
from ai3ray.client.journal_client import JournalClient
from ai3ray.client.local_head import HeadAddress, ensure_head, find_head, stop_head
from ai3ray.connect import connect, connect_for_reading, prune
from ai3ray.domain.request import RunRequest
from ai3ray.errors import HeadUnavailable, JournalLocked, RequestError, UnknownRun
from ai3ray.settings.load import load_settings, merged_env

ECHO = RunRequest(prompt="say hi", plan={"tasks": [{"id": "a", "prompt": "say hi"}]}, verify=False)
HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(home):
    return load_settings()


@pytest.fixture
async def head(settings) -> AsyncIterator[HeadAddress]:
    """A head of this home, with the real engine and without Ray."""
    command = [sys.executable, "-P", "-m", "deployments.head", "--engine", "inline"]
    yield await ensure_head(settings, merged_env(), notify=lambda _: None, command=command)
    with suppress(HeadUnavailable):
        await stop_head(settings)


@pytest.fixture
async def holder(settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that has the journal open."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(settings.journal_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    await process.stdout.readline()
    yield process
    process.stdin.close()
    await process.wait()


async def test_inline_serves_from_this_process_and_the_run_is_there_to_read_afterwards(settings):
    told = []
    async with connect(settings, merged_env(), inline=True, notify=told.append) as client:
        result = await client.run(ECHO)
        assert (result.status, client.remote) == ("succeeded", False)
    assert told == []
    assert find_head(settings) is None
    async with connect_for_reading(settings, merged_env()) as reading:
        assert isinstance(reading, JournalClient)
        assert [row.run_id for row in await reading.runs()] == [result.run_id]
        assert (await reading.result(result.run_id)).output == result.output
        assert len(await reading.lines(result.run_id)) > 5
        assert (await reading.sql("select count(*) as n from runs")).rows == ((1,),)
        assert (await reading.stats()).calls == result.stats.calls
        [echo] = [view for view in await reading.models() if view.model == "scripted/echo"]
        assert (echo.configured, echo.state, echo.calls) == (True, "ready", result.stats.calls)


async def test_reading_a_home_without_a_journal_gives_nothing_and_makes_nothing(settings):
    async with connect_for_reading(settings, merged_env()) as reading:
        assert list(await reading.runs()) == []
        with pytest.raises(UnknownRun):
            await reading.result("run_x")
        with pytest.raises(RequestError):
            await reading.sql("drop table runs")
    assert not settings.journal_path.exists()


async def test_a_home_is_pruned_in_its_file_when_no_head_is_up(settings):
    assert (await prune(settings, 0)).runs == 0
    assert not settings.journal_path.exists()
    async with connect(settings, merged_env(), inline=True, notify=lambda _: None) as client:
        await client.run(ECHO)
    assert (await prune(settings, 3600)).runs == 0
    assert (await prune(settings, 0, dry_run=True)).runs == 1
    assert (await prune(settings, 0)).runs == 1
    assert find_head(settings) is None
    async with connect_for_reading(settings, merged_env()) as reading:
        assert list(await reading.runs()) == []


async def test_a_home_is_pruned_by_its_head_which_forgets_the_runs_too(settings, head):
    async with connect(settings, merged_env(), notify=lambda _: None) as client:
        result = await client.run(ECHO, key="k")
        assert (await prune(settings, 0)).runs == 1
        with pytest.raises(UnknownRun):
            await client.result(result.run_id)
        assert (await client.run(ECHO, key="k")).run_id != result.run_id


async def test_with_a_head_up_inline_goes_to_it_and_says_so_and_reading_asks_it(settings, head):
    told = []
    async with connect(settings, merged_env(), inline=True, notify=told.append) as client:
        result = await client.run(ECHO)
    assert len(told) == 1
    assert str(head.pid) in told[0]
    async with connect_for_reading(settings, merged_env()) as reading:
        assert isinstance(reading, Client)
        assert [row.run_id for row in await reading.runs()] == [result.run_id]
    async with connect(settings, merged_env(), notify=told.append) as client:
        assert (await client.health())["pid"] == head.pid
    assert len(told) == 1


async def test_a_submit_survives_a_head_that_left_in_between(settings, head, monkeypatch):
    started = []

    async def another(settings, env, *, notify):
        started.append(notify)
        command = [sys.executable, "-P", "-m", "deployments.head", "--engine", "inline"]
        return await ensure_head(settings, env, notify=notify, command=command)

    monkeypatch.setattr(connecting, "ensure_head", another)
    async with connect(settings, merged_env(), notify=lambda _: None) as client:
        await stop_head(settings)
        assert (await client.run(ECHO)).status == "succeeded"
    assert len(started) == 2


async def test_a_named_server_is_used_whatever_is_at_home(settings, server, engine):
    told = []
    async with connect(settings, merged_env(), server=server, inline=True, notify=told.append) as client:
        assert client.remote
        assert (await client.run(RunRequest(prompt="x"))).output == "X"
    async with connect_for_reading(settings.model_copy(update={"server": server}), merged_env()) as reading:
        assert len(await reading.runs()) == 1
    assert told == []


async def test_a_journal_that_stays_locked_is_reported_with_the_pid_of_its_holder(settings, holder, monkeypatch):
    monkeypatch.setattr(connecting, "LOCK_WAIT_S", 0.2)
    with pytest.raises(JournalLocked, match=str(holder.pid)):
        async with connect_for_reading(settings, merged_env()):
            pass


async def test_a_journal_that_is_let_go_is_waited_for(settings, holder):
    async def read() -> int:
        async with connect_for_reading(settings, merged_env()) as reading:
            return len(await reading.runs())

    reading = asyncio.create_task(read())
    done, _ = await asyncio.wait({reading}, timeout=0.3)
    assert not done
    holder.stdin.close()
    await holder.wait()
    with suppress(Exception):  # the holder's file has no schema: that it was opened is what counts
        await reading
    assert not isinstance(reading.exception(), JournalLocked)
