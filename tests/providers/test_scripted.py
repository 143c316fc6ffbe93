"""The fake fails as real providers do, on demand."""

import asyncio

import pytest

from ai3ray.domain.call import Timeouts, Usage
from ai3ray.errors import CallTimeout, RateLimited, StreamCut
from ai3ray.providers.scripted import ScriptedChat, ScriptedReply

from .conftest import asks


async def test_a_script_is_followed_in_order_and_then_over():
    chat = ScriptedChat(["one", ScriptedReply("two", finish="length", cost_usd=0.5, usage=Usage(input_tokens=3))])
    assert (await chat.send(asks())).text == "one"
    second = await chat.send(asks())
    assert (second.text, second.finish, second.cost_usd, second.usage.input_tokens) == ("two", "length", 0.5, 3)
    with pytest.raises(LookupError, match="2 replies and this is call 3"):
        await chat.send(asks())
    assert len(chat.calls) == 3


async def test_without_a_script_it_echoes():
    assert (await ScriptedChat().send(asks("Hello"))).text == "Hello"


async def test_an_error_of_the_script_is_raised_signed_and_fresh():
    error = RateLimited("slow down", retry_after_s=2.0)
    chat = ScriptedChat([error, error], provider="lab")
    for n in (1, 2):
        with pytest.raises(RateLimited) as caught:
            await chat.send(asks())
        assert caught.value is not error
        assert (caught.value.provider, caught.value.model) == ("lab", "claude-sonnet-5-5")
        assert (caught.value.request_id, caught.value.retry_after_s) == (f"req_{n}", 2.0)


async def test_a_cut_stream_has_said_something_before():
    pieces = []
    chat = ScriptedChat([ScriptedReply("half an answer", error=StreamCut("cut", maybe_paid=True))])
    with pytest.raises(StreamCut):
        await chat.send(asks(), pieces.append)
    assert pieces == ["half ", "an ", "answer"]


@pytest.mark.parametrize("on_text", [None, [].append])
async def test_silence_runs_into_the_clock(on_text):
    chat = ScriptedChat([ScriptedReply("late", wait_s=60)])
    with pytest.raises(CallTimeout):
        await chat.send(asks(timeouts=Timeouts(first_token_s=0.01, total_s=0.02)), on_text)
    assert chat.in_flight == 0


async def test_a_cancelled_call_is_over():
    chat = ScriptedChat([ScriptedReply("late", wait_s=60)])
    send = asyncio.create_task(chat.send(asks()))
    await asyncio.sleep(0)
    assert chat.in_flight == 1
    send.cancel()
    with pytest.raises(asyncio.CancelledError):
        await send
    assert chat.in_flight == 0
