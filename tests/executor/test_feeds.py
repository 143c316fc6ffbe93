"""Events and deltas of a run, joined for its readers; over the memory journal."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.domain.events import RunStart, TextDelta
from ai3ray.domain.request import RunRequest
from ai3ray.errors import UnknownRun
from ai3ray.executor.feeds import RunFeeds
from ai3ray.journal.memory import MemoryJournal
from tests.executor.graphs import wide


def delta(text: str) -> TextDelta:
    return TextDelta(type="task_delta", run_id="r", task_id="t0", text=text)


@pytest.fixture
def journal() -> MemoryJournal:
    journal = MemoryJournal()
    request = RunRequest(plan=wide(1), max_tasks=20)
    journal.put("r", [RunStart(request=request.model_dump(mode="json"))])
    return journal


async def test_a_delta_stands_behind_the_event_it_came_after(journal):
    feeds = RunFeeds(journal)
    feeds.begin("r")
    feeds.watch("r")
    feeds.add(delta("one"))
    feed = await feeds.next("r", 0, 0, deltas=True)
    assert [item.seq for item in feed.items] == [1, None]
    assert (feed.cursor, feed.done) == (1, False)


async def test_deltas_are_kept_only_while_the_run_is_watched(journal):
    feeds = RunFeeds(journal)
    feeds.begin("r")
    feeds.add(delta("unseen"))
    assert feeds.watched() == ()
    feeds.watch("r")
    feeds.add(delta("seen"))
    assert feeds.watched() == ("r",)
    feed = await feeds.next("r", 1, 0, deltas=True)
    assert ["unseen" in item.data for item in feed.items] == [False]


async def test_a_reader_that_lags_behind_gets_the_deltas_of_a_run_that_has_just_ended(journal):
    feeds = RunFeeds(journal)
    feeds.begin("r")
    feeds.watch("r")
    feeds.add(delta("last words"))
    feeds.end("r")
    feed = await feeds.next("r", 1, 0, deltas=True)
    assert "last words" in feed.items[0].data


async def test_a_reader_of_a_run_that_this_core_does_not_conduct_waits_and_leaves_nothing_behind(journal):
    feeds = RunFeeds(journal)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(feeds.next("r", 1, 0, deltas=True), 0.05)
    assert feeds.watched() == ()


async def test_an_unknown_run_has_no_feed(journal):
    with pytest.raises(UnknownRun):
        await RunFeeds(journal).next("nobody's", 0, 0, deltas=False)
