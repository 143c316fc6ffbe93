"""The runner's client of the core."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import TextDelta
from ai3ray.domain.lease import RUN_STOPPED, Lease, LeaseRequest, Refusal
from ai3ray.errors import EngineError
from ai3ray.executor.core_client import CoreClient, EntriesRefused, LeaseRefused
from ai3ray.executor.port import Entries, Granted, Sync, Synced


class Desk:
    """A core that answers as told and keeps what it was sent."""

    def __init__(self) -> None:
        self.syncs: list[Sync] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.grant_at_once = True
        self.refused: dict[str, ErrorInfo] = {}
        self.watched: tuple[str, ...] = ()
        self.later: asyncio.Queue[Lease | Refusal] = asyncio.Queue()
        self.failure: EngineError | None = None

    async def sync(self, sync: Sync) -> Synced:
        self.syncs.append(sync)
        await self.gate.wait()
        if self.failure:
            raise self.failure
        grants = tuple(lease(request.request_id) for request in sync.leases) if self.grant_at_once else ()
        return Synced(grants=grants, refused=self.refused, watched=self.watched)

    async def grants(self, runner_id: str) -> Granted:
        return Granted(grants=(await self.later.get(),), watched=self.watched)


def lease(request_id: str) -> Lease:
    return Lease(
        request_id=request_id, run_id="r", attempt_id=f"a-{request_id}", provider="p", model="p/m", token=7, expires_s=9
    )


def request(request_id: str) -> LeaseRequest:
    return LeaseRequest(request_id=request_id, run_id="r")


async def test_what_gathers_during_a_send_rides_in_the_next_one():
    desk = Desk()
    core_client = CoreClient(desk, "runner")
    desk.gate.clear()
    first = asyncio.create_task(core_client.lease(request("1")))
    while not desk.syncs:
        await asyncio.sleep(0)
    others = [asyncio.create_task(core_client.lease(request(str(n)))) for n in range(2, 12)]
    await asyncio.sleep(0)
    desk.gate.set()
    await asyncio.gather(first, *others)
    assert [len(sync.leases) for sync in desk.syncs] == [1, 10]
    await core_client.aclose()


async def test_a_request_that_waits_is_answered_by_the_listener():
    desk = Desk()
    desk.grant_at_once = False
    core_client = CoreClient(desk, "runner")
    waiting = asyncio.create_task(core_client.lease(request("1")))
    refused = asyncio.create_task(core_client.lease(request("2")))
    desk.later.put_nowait(lease("1"))
    desk.later.put_nowait(
        Refusal(request_id="2", run_id="r", error=ErrorInfo(type="no_model_left", message="none is left"))
    )
    assert (await waiting).attempt_id == "a-1"
    with pytest.raises(LeaseRefused, match="none is left"):
        await refused
    await core_client.aclose()


async def test_a_cancelled_request_is_withdrawn():
    desk = Desk()
    desk.grant_at_once = False
    core_client = CoreClient(desk, "runner")
    waiting = asyncio.create_task(core_client.lease(request("1")))
    while not desk.syncs:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await core_client.flush()
    assert [sync.withdrawn for sync in desk.syncs if sync.withdrawn] == [("1",)]
    await core_client.aclose()


async def test_a_lease_that_comes_after_its_asker_has_gone_is_given_back():
    desk = Desk()
    desk.grant_at_once = False
    core_client = CoreClient(desk, "runner")
    gone = asyncio.create_task(core_client.lease(request("1")))
    stays = asyncio.create_task(core_client.lease(request("2")))
    while not desk.syncs:
        await asyncio.sleep(0)
    gone.cancel()
    desk.later.put_nowait(lease("1"))
    desk.later.put_nowait(lease("2"))
    await stays
    await core_client.flush()
    settled = [item for sync in desk.syncs for item in sync.settlements]
    assert [(item.attempt_id, item.status) for item in settled] == [("a-1", "cancelled")]
    await core_client.aclose()


async def test_entries_that_the_run_does_not_take_are_told_to_their_writer_alone():
    desk = Desk()
    desk.refused = {"bad": ErrorInfo(type="illegal_transition", message="the run has ended")}
    core_client = CoreClient(desk, "runner")
    good = asyncio.create_task(core_client.put(Entries(run_id="r", epoch=1, key="good")))
    with pytest.raises(EntriesRefused, match="the run has ended"):
        await core_client.put(Entries(run_id="r", epoch=1, key="bad"))
    await good
    await core_client.aclose()


async def test_the_same_key_put_twice_at_once_answers_both_writers():
    core_client = CoreClient(Desk(), "runner")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(core_client.put(Entries(run_id="r", epoch=1, key="run/once")))
    await core_client.aclose()


async def test_deltas_are_sent_only_for_watched_runs_and_joined_per_task():
    desk = Desk()
    desk.watched = ("seen",)
    core_client = CoreClient(desk, "runner")
    await core_client.put(Entries(run_id="seen", epoch=1, key="k"))  # the reply tells who is watched
    for run_id in ("seen", "unseen"):
        for text in ("one ", "two"):
            core_client.delta(TextDelta(type="task_delta", run_id=run_id, task_id="t", text=text))
    await core_client.flush()
    assert [delta.text for sync in desk.syncs for delta in sync.deltas] == ["one two"]
    await core_client.aclose()


async def test_a_lease_that_comes_before_the_reply_to_its_request_tells_who_is_watched():
    """Else the first pieces of a quick answer would be lost, although its reader was there first."""
    desk = Desk()
    desk.grant_at_once = False
    core_client = CoreClient(desk, "runner")
    earlier = asyncio.create_task(core_client.lease(request("0")))  # for it the client listens
    await core_client.put(Entries(run_id="r", epoch=1, key="k"))
    desk.gate.clear()
    begun = asyncio.create_task(core_client.lease(request("1")))
    while not any(one.request_id == "1" for sync in desk.syncs for one in sync.leases):
        await asyncio.sleep(0)
    desk.watched = ("r",)
    desk.later.put_nowait(lease("1"))
    await begun
    core_client.delta(TextDelta(type="task_delta", run_id="r", task_id="t", text="first"))
    desk.gate.set()
    await core_client.flush()
    assert [delta.text for sync in desk.syncs for delta in sync.deltas] == ["first"]
    earlier.cancel()
    await core_client.aclose()


async def test_when_the_core_is_gone_everybody_who_waits_is_told():
    desk = Desk()
    desk.failure = EngineError("died")
    core_client = CoreClient(desk, "runner")
    results = await asyncio.gather(
        core_client.lease(request("1")), core_client.put(Entries(run_id="r", epoch=1, key="k")), return_exceptions=True
    )
    assert [type(result) for result in results] == [EngineError, EngineError]
    await core_client.aclose()


async def test_who_asks_for_a_run_that_is_being_stopped_stops_too():
    desk = Desk()
    desk.grant_at_once = False
    core_client = CoreClient(desk, "runner")
    asking = asyncio.create_task(core_client.lease(request("1")))
    desk.later.put_nowait(Refusal(request_id="1", run_id="r", error=ErrorInfo(type=RUN_STOPPED, message="stopped")))
    with pytest.raises(asyncio.CancelledError):
        await asking
    await core_client.flush()
    assert not any(sync.withdrawn for sync in desk.syncs)
    await core_client.aclose()
