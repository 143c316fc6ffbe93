"""Each way a provider fails is one class of our tree, with its fields; see also failures/test_classify.py."""

import pickle
import traceback

import pytest

from ai3ray.domain.call import Timeouts
from ai3ray.errors import (
    CallTimeout,
    ConnectFailed,
    ContextOverflow,
    KeyRefused,
    MalformedReply,
    ModelGone,
    Overloaded,
    ProviderError,
    QuotaSpent,
    RateLimited,
    ServerFault,
    StreamCut,
)
from ai3ray.providers.build import build_provider
from ai3ray.simulator import SimulatorSettings, running

from .conftest import MODELS, TABLES, WIRES, asks

STREAMED = {
    "rate_limit": (RateLimited, 429),
    "quota": (QuotaSpent, 429),
    "auth": (KeyRefused, 401),
    "server_error": (ServerFault, 500),
    "overloaded": (Overloaded, None),
    "refuse_connection": (ConnectFailed, None),
    "stall": (CallTimeout, 200),
    "cut": (StreamCut, 200),
    "eof": (StreamCut, 200),
    "error_event": (Overloaded, 200),
    "malformed": (MalformedReply, 200),
    "not_a_stream": (MalformedReply, 200),
}
WHOLE = {**STREAMED, "eof": (MalformedReply, 200), "stall": (CallTimeout, None)}
MAYBE_PAID = {"refuse_connection", "stall", "cut", "eof", "error_event", "malformed", "not_a_stream"}
QUICK = Timeouts(connect_s=5, first_token_s=5, idle_s=0.2, total_s=0.4)


async def failure(chat, call, on_text=None):
    with pytest.raises(ProviderError) as caught:
        await chat.send(call, on_text)
    return caught.value


@pytest.mark.parametrize("fault", STREAMED)
@pytest.mark.parametrize("name", WIRES)
async def test_a_fault_of_a_stream_is_its_class(adapter, sim, name, fault):
    await _is_its_class(adapter, sim, name, fault, [].append, STREAMED[fault])


@pytest.mark.parametrize("fault", WHOLE)
@pytest.mark.parametrize("name", WIRES)
async def test_a_fault_of_a_whole_answer_is_its_class(adapter, sim, name, fault):
    await _is_its_class(adapter, sim, name, fault, None, WHOLE[fault])


async def _is_its_class(adapter, sim, name, fault, on_text, expected):
    kind, status = expected
    sim.set_faults({"fault": fault, "retry_after": 7})
    async with adapter(name) as chat:
        error = await failure(chat, asks(name=name, timeouts=QUICK if fault == "stall" else None), on_text)
    assert type(error) is kind
    assert (error.provider, error.model) == (name, MODELS[name])
    if status:
        assert error.status == status
    assert error.maybe_paid == (fault in MAYBE_PAID)
    assert error.retry_after_s == (7 if kind in {RateLimited, ServerFault} or error.status in {503, 529} else None)
    entry = sim.ledger.calls[-1]
    assert error.request_id == (entry.request_id if error.status else None)
    assert str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_only_a_gateway_that_gave_up_may_have_been_paid(adapter, sim, status):
    sim.set_faults({"fault": "server_error", "status": status})
    async with adapter("openai") as chat:
        error = await failure(chat, asks(name="openai"))
    assert (type(error), error.status, error.maybe_paid) == (ServerFault, status, status != 500)


@pytest.mark.parametrize("name", WIRES)
async def test_an_unknown_model_is_gone(adapter, name):
    async with adapter(name) as chat:
        error = await failure(chat, asks(name=name).model_copy(update={"model": "nobody-1"}))
    assert (type(error), error.status) == (ModelGone, 404)
    assert "nobody-1" in str(error)


@pytest.mark.parametrize("name", WIRES)
async def test_a_prompt_that_is_too_long_overflows(name):
    async with running(SimulatorSettings.load(context_tokens=5)) as small:
        chat = build_provider(name, TABLES[name], small.env())
        try:
            error = await failure(chat, asks("word " * 20, name))
        finally:
            await chat.aclose()
    assert (type(error), error.status) == (ContextOverflow, 400)


@pytest.mark.parametrize("name", WIRES)
async def test_a_stall_before_the_first_token_has_its_own_clock(adapter, sim, name):
    sim.set_faults({"fault": "stall", "after": 0})
    call = asks(name=name, timeouts=Timeouts(first_token_s=0.2, idle_s=9, total_s=9))
    async with adapter(name) as chat:
        error = await failure(chat, call, [].append)
    assert type(error) is CallTimeout
    assert str(error) == "no output within 0.2 s"


@pytest.mark.parametrize("name", WIRES)
async def test_a_stall_between_two_pieces_has_its_own_clock(adapter, sim, name):
    sim.set_faults({"fault": "stall", "after": 2})
    call = asks(name=name, timeouts=Timeouts(first_token_s=9, idle_s=0.2, total_s=9))
    pieces = []
    async with adapter(name) as chat:
        error = await failure(chat, call, pieces.append)
    assert (type(error), len(pieces), error.maybe_paid) == (CallTimeout, 2, True)
    assert str(error) == "no output for 0.2 s in the middle of the reply"


@pytest.mark.parametrize("name", WIRES)
async def test_the_whole_call_has_a_clock(adapter, sim, name):
    sim.set_faults({"fault": "stall"})
    call = asks(name=name, timeouts=Timeouts(total_s=0.2))
    async with adapter(name) as chat:
        for on_text in (None, [].append):
            error = await failure(chat, call, on_text)
            assert str(error) == "the call took longer than 0.2 s"


@pytest.mark.parametrize("name", WIRES)
async def test_a_pause_that_is_no_stall_is_survived(adapter, sim, name):
    sim.set_faults({"fault": "stall", "seconds": 0.1})
    async with adapter(name) as chat:
        assert (await chat.send(asks(name=name), [].append)).finish == "stop"


@pytest.mark.parametrize("name", WIRES)
async def test_a_partial_answer_is_an_error_although_pieces_were_heard(adapter, sim, name):
    sim.set_faults({"fault": "cut", "after": 3})
    pieces = []
    async with adapter(name) as chat:
        assert type(await failure(chat, asks(name=name), pieces.append)) is StreamCut
    assert len(pieces) == 3


@pytest.mark.parametrize("name", WIRES)
async def test_a_key_that_the_server_quotes_appears_nowhere(adapter, name):
    key = "canary-bad-4f9d"
    variable = TABLES[name].api_key_env
    async with adapter(name, **{variable: key}) as chat:
        error = await failure(chat, asks(name=name))
        shown = f"{chat!r} {error} {error!r} {''.join(traceback.format_exception(error))} {error.__dict__}"
    assert type(error) is KeyRefused
    assert key not in shown
    assert "[key]" in str(error)


@pytest.mark.parametrize("name", WIRES)
async def test_the_cause_is_chained(adapter, sim, name):
    sim.set_faults({"fault": "rate_limit"})
    async with adapter(name) as chat:
        error = await failure(chat, asks(name=name))
    assert type(error.__cause__).__module__.split(".")[0] in {"anthropic", "openai"}


async def test_a_call_made_while_another_failure_is_handled_fails_for_its_own_reason(adapter, sim):
    sim.set_faults({"fault": "cut", "when": {"n": [1]}}, {"fault": "malformed", "when": {"n": [2]}})
    async with adapter("openai") as chat:
        try:
            await chat.send(asks(name="openai"), [].append)
        except StreamCut:
            error = await failure(chat, asks(name="openai"), [].append)
    assert type(error) is MalformedReply
