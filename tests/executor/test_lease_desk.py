"""Permits between pool, journal and runners: what becomes of them when a runner dies or a run is stopped."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import PlanProgress, RunStart
from ai3ray.domain.ids import new_id
from ai3ray.domain.lease import RUN_STOPPED, Lease, LeaseRequest, Refusal, Settlement
from ai3ray.executor.lease_desk import LeaseDesk
from ai3ray.journal.memory import MemoryJournal
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from ai3ray.telemetry.observers import Observers
from tests.executor.graphs import wide

MODEL = "xai/grok-4.7"


@pytest.fixture
def journal():
    journal = MemoryJournal()
    for run_id in ("r", "other"):
        plan = {"tasks": [{**task, "title": task["id"]} for task in wide(4)["tasks"]], "assembly": "concat"}
        journal.put(run_id, [RunStart(request={}), PlanProgress(phase="completed", plan=plan, source="file")])
    return journal


@pytest.fixture
def lease_desk(journal, tmp_path):
    """At a provider that allows two calls at a time."""
    env = {"AI3_HOME": str(tmp_path), "AI3_MAX_CONCURRENCY_PER_PROVIDER": "2"}
    settings = load_settings(env=env, cwd=tmp_path)
    registry = Registry.load(settings)
    pool = ProviderPool(registry, settings, ("xai",), clock=time.monotonic, new_id=lambda: new_id("att"))
    lease_desk = LeaseDesk(pool, journal, Observers())
    yield lease_desk
    lease_desk.aclose()


def request(task_id: str, run_id: str = "r", **fields) -> LeaseRequest:
    return LeaseRequest(request_id=f"{run_id}/{task_id}", run_id=run_id, task_id=task_id, models=(MODEL,), **fields)


def mailed(answers) -> list[str]:
    return [answer.request_id for answer in answers]


def statuses(journal, run_id: str = "r") -> Counter[str]:
    return Counter(attempt.status for attempt in journal.state(run_id).attempts.values())


async def test_the_permits_of_a_dead_runner_serve_the_others_at_once(lease_desk, journal):
    for task_id in ("t0", "t1"):
        lease_desk.request("dead", request(task_id))
    lease_desk.request("alive", request("t0", "other"))
    assert mailed(await lease_desk.collect("alive")) == []
    lease_desk.runner_died("dead")
    assert mailed(await lease_desk.collect("alive")) == ["other/t0"]
    assert statuses(journal) == {"lost": 2}
    assert all(attempt.maybe_paid for attempt in journal.state("r").attempts.values())


async def test_a_dead_runner_waits_for_nothing_and_nothing_is_granted_to_it(lease_desk, journal):
    for task_id in ("t0", "t1", "t2"):
        lease_desk.request("dead", request(task_id))
    lease_desk.runner_died("dead")
    lease_desk.request("dead", request("t3"))  # sent before it died, come late
    assert statuses(journal) == {"lost": 2}
    lease_desk.request("alive", request("t0", "other"))
    assert mailed(await lease_desk.collect("alive")) == ["other/t0"]


async def test_whoever_waits_in_the_name_of_a_dead_runner_is_let_go(lease_desk):
    for task_id in ("t0", "t1", "t2"):
        lease_desk.request("dead", request(task_id))
    await lease_desk.collect("dead")
    waiting = asyncio.create_task(lease_desk.wait("dead"))
    await asyncio.sleep(0)
    lease_desk.runner_died("dead")
    async with asyncio.timeout(5):
        assert await waiting == ()


async def test_a_stopped_run_is_granted_nothing_and_its_requests_free_the_way(lease_desk, journal):
    lease_desk.request("one", request("t0"))
    lease_desk.request("one", request("t1"))
    lease_desk.request("one", request("t2"))
    lease_desk.request("two", request("t0", "other"))
    lease_desk.stop_run("r")
    (refusal,) = await lease_desk.collect("one")  # the others were granted, and not yet handed over
    assert (refusal.request_id, refusal.error.type) == ("r/t2", RUN_STOPPED)
    assert mailed(await lease_desk.collect("two")) == ["other/t0"]
    assert statuses(journal) == {"cancelled": 2}
    assert not any(attempt.maybe_paid for attempt in journal.state("r").attempts.values())
    lease_desk.request("one", request("t3"))
    (refusal,) = await lease_desk.collect("one")
    assert (refusal.request_id, refusal.error.type) == ("r/t3", RUN_STOPPED)
    assert statuses(journal) == {"cancelled": 2}


async def test_calls_are_numbered_on_after_the_run_was_taken_over(lease_desk, journal):
    old = Attempt(
        run_id="r", task_id="t0", attempt_id="old", role="repair", n=3, provider="xai", model=MODEL, status="lost"
    )
    journal.put("r", (), [old, old.model_copy(update={"attempt_id": "older", "n": 2})])
    lease_desk.request("one", request("t0"))
    lease_desk.request("one", request("t0", role="judge"))
    numbers = {
        attempt.role: attempt.n for attempt in journal.state("r").attempts.values() if attempt.status == "started"
    }
    assert numbers == {"task": 3, "judge": 1}


async def test_a_settlement_with_the_token_of_another_life_is_ignored(lease_desk, journal):
    lease_desk.request("one", request("t0"))
    (lease,) = await lease_desk.collect("one")
    assert isinstance(lease, Lease)
    lease_desk.settle(Settlement(attempt_id=lease.attempt_id, token=lease.token + 1, status="succeeded"))
    assert statuses(journal) == {"started": 1}
    lease_desk.settle(Settlement(attempt_id="of another core", token=lease.token, status="succeeded"))
    assert statuses(journal) == {"started": 1}


async def test_a_request_for_a_run_that_has_ended_is_refused(lease_desk, journal):
    from ai3ray.domain.events import Cancelled

    journal.put("r", [Cancelled(by="user")])
    lease_desk.request("one", request("t0"))
    (answer,) = await lease_desk.collect("one")
    assert isinstance(answer, Refusal)
    assert answer.error.type == "illegal_transition"
