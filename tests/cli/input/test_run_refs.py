"""Which run is meant."""

import json
from contextlib import asynccontextmanager

import pytest

from ai3ray.client.client import Client
from ai3ray.domain.listings import RunRow, Table
from ai3ray.errors import UnknownRun, UsageError
from cli.input.run_refs import cancel_run, load_decisions, resolve_run_id, resume_run, watch_run
from tests.cli.recorded import EVENTS, RUN, run_result
from tests.cli.test_follow import ScriptedClient, Seen

OLDER = "run_01kb1111111111111111111b"
OTHER = "run_01kc2222222222222222222c"


class Shelf:
    """A home with three runs and nobody who serves it."""

    async def runs(self, limit=50, before=None):
        rows = [
            RunRow(run_id=run, status="succeeded", prompt="p", started_at="t", seconds=1.0, cost_usd=0.0)
            for run in (OTHER, OLDER, RUN)
        ]
        return rows[:limit]

    async def result(self, run_id):
        return run_result()

    async def sql(self, query, max_rows=10_000):
        assert RUN in query
        wanted = [event for event in EVENTS if "LIKE '%'" in query or event.type == "decision"]
        assert len(wanted) == (16 if "LIKE '%'" in query else 1)
        return Table(columns=("body",), rows=tuple((json.loads(event.line()),) for event in wanted))


@pytest.mark.parametrize(
    ("word", "run"), [("last", OTHER), (RUN, RUN), ("run_01kc", OTHER), ("01kb0", RUN), (f"run_{'9' * 22}", None)]
)
async def test_an_id_a_beginning_or_last_means_a_run(word, run):
    assert await resolve_run_id(Shelf(), word) == (run or word)


async def test_the_beginning_of_several_is_refused():
    with pytest.raises(UsageError, match="beginning of 2 runs"):
        await resolve_run_id(Shelf(), "run_01kb")


@pytest.mark.parametrize("word", ["nope", "", "run_' OR 1=1 --"])
async def test_what_is_no_run_is_said(word):
    with pytest.raises((UnknownRun, UsageError)):
        await resolve_run_id(Shelf(), word)


async def test_decisions_come_from_the_journal():
    assert [event.model for event in await load_decisions(Shelf(), RUN)] == ["sim/fast"]


async def test_watching_without_a_head_tells_what_the_journal_holds():
    seen = Seen()
    assert await watch_run(Shelf(), RUN, seen) == run_result()
    assert seen.types == [event.type for event in EVENTS]


class Empty(Shelf):
    """A home without runs."""

    async def runs(self, limit=50, before=None):
        return []

    async def result(self, run_id):
        raise UnknownRun(f"no run {run_id}")


class Interrupted(Shelf):
    """A home whose run nobody works on."""

    async def result(self, run_id):
        return run_result("running", None)


class Reviver(ScriptedClient):
    """A head that knows how to go on."""

    def __init__(self):
        super().__init__()
        self.resumed = []

    async def resume(self, run_id):
        self.resumed.append(run_id)
        return run_result("running", None)


class ServingHead(ScriptedClient, Client):
    """A head that is up."""

    async def runs(self, limit=50, before=None):
        return await Shelf().runs(limit)


class RevivableContext:
    def __init__(self, shelf, head=None):
        self.shelf, self.head = shelf, head

    @asynccontextmanager
    async def reader(self):
        yield self.shelf

    @asynccontextmanager
    async def connect(self, notify):
        assert self.head is not None, "no head is to be started"
        yield self.head


async def test_resuming_an_interrupted_run_wakes_a_head_and_follows_it_to_its_end():
    seen, head = Seen(), Reviver()
    assert await resume_run(RevivableContext(Interrupted(), head), RUN, seen) == run_result()
    assert head.resumed == [RUN]
    assert seen.types == [event.type for event in EVENTS]


async def test_resuming_a_finished_run_starts_nothing_and_tells_what_was():
    seen = Seen()
    assert await resume_run(RevivableContext(Shelf()), RUN, seen) == run_result()
    assert seen.types == [event.type for event in EVENTS]


@pytest.mark.parametrize("verb", [cancel_run, resume_run])
@pytest.mark.parametrize("word", ["nope", f"run_{'9' * 22}"])
async def test_an_unknown_run_starts_no_head(verb, word):
    with pytest.raises(UnknownRun):
        await verb(RevivableContext(Empty()), word, Seen())


async def test_cancelling_a_finished_run_starts_nothing_and_leaves_it():
    assert await cancel_run(RevivableContext(Shelf()), RUN, Seen()) == run_result()


async def test_an_interrupted_run_is_cancelled_by_a_head_that_is_started_for_it():
    head = ScriptedClient()
    assert (await cancel_run(RevivableContext(Interrupted(), head), RUN, Seen())).status == "cancelled"


async def test_a_run_is_cancelled_by_the_head_that_is_up():
    assert (await cancel_run(RevivableContext(ServingHead()), "last", Seen())).status == "cancelled"
