"""A run from its request to its end, in front of a client that follows a script."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import pytest

from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.errors import HeadUnavailable
from cli import follow
from cli.follow import run_to_end, submit_detached

from .recorded import EVENTS, RUN, run_result

REQUEST = RunRequest(prompt="Write something")


class ScriptedClient:
    """Accepts one run, tells its first `told` events, then waits for a cancellation or ends."""

    def __init__(self, told=None, *, hurry=True):
        self.told, self.hurry = len(EVENTS) if told is None else told, hurry
        self.cancelled, self.keys = [], []
        self.accepting = asyncio.Event()
        self.accepting.set()

    async def submit(self, request, *, key=None):
        self.keys.append(key)
        await self.accepting.wait()
        return Accepted(run_id=RUN, status="queued")

    async def events(self, run_id, after=0, *, deltas=False):
        for event in EVENTS[: self.told]:
            yield event
        if self.told < len(EVENTS):
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    async def result(self, run_id):
        return run_result()

    async def cancel(self, run_id):
        self.cancelled.append(run_id)
        if not self.hurry:
            await asyncio.Event().wait()
        return run_result("cancelled", None)


class ScriptedContext:
    """Connects to the scripted client."""

    def __init__(self, client):
        self.client = client

    @asynccontextmanager
    async def connect(self, notify, *, inline=False):
        notify("connecting")
        yield self.client

    def fill(self, request, client):
        return request


class Seen:
    """A progress that keeps what it was told."""

    def __init__(self):
        self.types, self.notes = [], []

    def event(self, event):
        self.types.append(event.type)

    def note(self, text):
        self.notes.append(text)


async def followed(client):
    seen = Seen()
    return await run_to_end(ScriptedContext(client), REQUEST, seen, inline=False), seen


async def test_a_run_is_followed_to_its_last_event_and_its_result_returned():
    client = ScriptedClient()
    result, seen = await followed(client)
    assert result == run_result()
    assert seen.types == [event.type for event in EVENTS]
    assert client.keys[0].startswith("key_")


async def test_an_interrupt_cancels_the_run_and_gives_its_end():
    client = ScriptedClient(told=5)
    result, seen = await followed(client)
    assert client.cancelled == [RUN]
    assert result.status == "cancelled"
    assert len(seen.types) == 5


async def test_an_interrupt_does_not_wait_long_for_a_server_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(follow, "CANCEL_WAIT_S", 0.05)
    client = ScriptedClient(told=5, hurry=False)
    result, seen = await followed(client)
    assert result is None
    assert client.cancelled == [RUN]
    assert "not confirmed" in seen.notes[-1]


async def test_an_interrupt_while_the_run_is_being_accepted_still_cancels_it():
    client = ScriptedClient()
    client.accepting.clear()
    loop = asyncio.get_running_loop()
    loop.call_later(0.02, os.kill, os.getpid(), signal.SIGTERM)
    loop.call_later(0.06, client.accepting.set)
    result, _ = await followed(client)
    assert client.cancelled == [RUN]
    assert result.status == "cancelled"


async def test_an_interrupt_before_anything_was_sent_cancels_nothing():
    client = ScriptedClient()
    context = ScriptedContext(client)

    @asynccontextmanager
    async def connect(notify, *, inline=False):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()
        yield client

    context.connect = connect
    assert await run_to_end(context, REQUEST, Seen(), inline=False) is None
    assert client.cancelled == client.keys == []


async def test_a_server_that_goes_away_is_an_error_and_no_cancellation():
    client = ScriptedClient()

    async def submit(request, *, key=None):
        raise HeadUnavailable("nobody there")

    client.submit = submit
    with pytest.raises(HeadUnavailable):
        await followed(client)
    assert client.cancelled == []


async def test_a_detached_run_is_handed_in_once_and_not_followed(capsys):
    client = ScriptedClient()
    run = await submit_detached(ScriptedContext(client), REQUEST)
    assert (run.run_id, len(client.keys), client.cancelled) == (RUN, 1, [])
    assert capsys.readouterr() == ("", "ai3: connecting\n")
