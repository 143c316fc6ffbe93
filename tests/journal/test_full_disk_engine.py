"""What a full disk means to runs and to those who ask over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ai3ray.errors import JournalError
from ai3ray.executor.core import Core
from ai3ray.executor.inline import open_inline
from ai3ray.journal import commits
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.simulator import Simulator
from tests.conftest import Home, make_home
from tests.executor.graphs import asked, wide
from tests.journal.full_disk import full_disk, log_of


@pytest.fixture
def home(home_folder: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(commits, "_FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(commits, "_LONGEST_PAUSE_S", 0.1)
    return make_home(home_folder, simulator, AI3_VERIFY="0")


@pytest.fixture
async def core(home: Home) -> AsyncIterator[Core]:
    """An engine whose journal holds one finished run, so that its log has some size."""
    async with open_inline(home.settings, home.env) as core:
        await ended(core, (await core.submit(asked(wide(8)))).run_id)
        yield core


async def ended(core: Core, run_id: str) -> str:
    """The run's status once it has ended."""
    after, done = 0, False
    while not done:
        feed = await core.feed(run_id, after)
        after, done = after + len(feed.items), feed.done
    return (await core.result(run_id)).status


def log(home: Home) -> Path:
    return log_of(home.settings.journal_path)


async def test_no_call_is_paid_while_the_disk_is_full(core: Core, home: Home, simulator: Simulator) -> None:
    simulator.reset()
    simulator.set_faults({"when": {"first": 1}, "fault": "stall_first_byte", "seconds": 1.0})
    run_id = (await core.submit(asked(wide(4), max_concurrency=1))).run_id
    while not simulator.ledger.calls:
        await asyncio.sleep(0.005)
    with full_disk(log(home)):
        await asyncio.sleep(2.5)  # the first call has ended by now, and its permit was given to the second
        assert (len(simulator.ledger.calls), simulator.ledger.in_flight) == (1, 0)
        assert (await core.result(run_id)).status == "running"
        with pytest.raises(JournalError, match="no new runs"):
            await core.submit(asked(wide(1)))
    assert await ended(core, run_id) == "succeeded"
    result = await core.result(run_id)
    assert len(simulator.ledger.calls) == result.stats.calls == 4
    assert [task.attempts for task in result.tasks] == [1] * 4


async def test_answers_that_were_paid_wait_in_memory_and_are_kept(core: Core, home: Home, simulator: Simulator) -> None:
    simulator.reset()
    run_id = (await core.submit(asked(wide(3)))).run_id
    while len(simulator.ledger.calls) < 3:
        await asyncio.sleep(0.005)
    with full_disk(log(home)):
        while any(task.status != "succeeded" for task in core._journal.state(run_id).tasks.values()):
            await asyncio.sleep(0.01)
        assert (await core.result(run_id)).status != "succeeded", "nothing is shown before it is on disk"
    assert await ended(core, run_id) == "succeeded"
    assert len(simulator.ledger.calls) == 3


async def test_over_http_a_new_run_is_refused_and_old_ones_are_shown(core: Core, home: Home) -> None:
    transport = httpx.ASGITransport(app=build_app(EngineGate(core)))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as http:
        body = {"prompt": "hello", "plan": wide(1)}
        with full_disk(log(home)):
            for path in ("/runs", "/run", "/stream/run"):
                refused = await http.post(path, json=body, headers={"idempotency-key": "k"})
                assert refused.status_code == 503, path
                error = refused.json()["error"]
                assert error["type"] == "journal"
                assert "then it resumes" in error["message"]
            (row,) = (await http.get("/runs")).json()["runs"]
            committed_state = await http.get(f"/runs/{row['run_id']}")
            assert (committed_state.status_code, committed_state.json()["status"]) == (200, "succeeded")
            assert (await http.post("/sql", json={"query": "SELECT 1 AS one"})).json()["rows"] == [{"one": 1}]
        accepted = await http.post("/runs", json=body, headers={"idempotency-key": "k"})
        assert accepted.status_code == 202
        assert await ended(core, accepted.json()["run_id"]) == "succeeded"


async def test_a_lease_that_ran_out_before_the_disk_took_it_is_leased_anew(
    core: Core, home: Home, simulator: Simulator
) -> None:
    """Its call never began, so it is neither lost nor perhaps paid."""
    simulator.reset()
    run_id = (await core.submit(asked(wide(1)))).run_id
    lease_desk = core._lease_desk
    with full_disk(log(home)):
        while not lease_desk._open:
            await asyncio.sleep(0.01)
        (late,) = lease_desk._open
        lease_desk._pool._clock = later(lease_desk._pool._clock, 10_000)
        lease_desk._expire()
        assert late not in lease_desk._open
    assert await ended(core, run_id) == "succeeded"
    calls = await core.query(
        f"SELECT status, maybe_paid, error_type FROM attempts WHERE run_id = '{run_id}' ORDER BY n"
    )
    assert calls.rows == (("cancelled", False, None), ("succeeded", False, None))
    assert len(simulator.ledger.calls) == 1


def later(clock, seconds):
    return lambda: clock() + seconds
