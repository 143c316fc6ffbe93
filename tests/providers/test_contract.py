"""What every ChatModel does with a call that goes well, whoever is behind it."""

import asyncio
import json
from contextlib import asynccontextmanager

import jsonschema
import pytest

from ai3ray.domain.call import Message, Usage
from ai3ray.errors import CallRefused
from ai3ray.providers.scripted import ScriptedChat

from .conftest import MODELS, WIRES, asks

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}


@pytest.fixture(params=[*WIRES, "scripted"])
def name(request):
    return request.param


@pytest.fixture
def chat(name, adapter):
    @asynccontextmanager
    async def opened():
        if name == "scripted":
            yield ScriptedChat(lambda call: '{"city": "Bern", "people": 1}' if call.prompt.json_schema else "Two words")
            return
        async with adapter(name) as built:
            yield built

    return opened


async def test_a_call_gives_a_whole_reply(chat, name):
    async with chat() as model:
        reply = await model.send(asks(name=name))
    assert reply.text
    assert reply.finish == "stop"
    assert reply.model == MODELS.get(name, "m")
    assert reply.request_id
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0
    assert not reply.usage.estimated
    assert reply.first_token_s is None
    assert reply.seconds > 0


async def test_a_streamed_call_says_the_same_in_pieces(chat, name):
    pieces = []
    async with chat() as model:
        whole = await model.send(asks(name=name))
        streamed = await model.send(asks(name=name), pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces) == streamed.text == whole.text
    assert streamed.usage == whole.usage
    assert 0 < streamed.first_token_s <= streamed.seconds


@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output_satisfies_its_schema(chat, name, streamed):
    async with chat() as model:
        call = asks("Name a city.", name, json_schema=SCHEMA, schema_name="city")
        reply = await model.send(call, [].append if streamed else None)
    jsonschema.validate(json.loads(reply.text), SCHEMA)


async def test_an_adapter_answers_many_calls_at_once(chat, name):
    async with chat() as model:
        replies = await asyncio.gather(*(model.send(asks(f"Write about number {n}", name)) for n in range(20)))
    assert len({reply.request_id for reply in replies}) == 20


async def test_an_adapter_that_was_never_used_can_be_closed(chat):
    async with chat():
        pass


async def test_what_a_listener_raises_is_its_own(chat, name):
    def listener(_):
        raise ValueError("listener")

    async with chat() as model:
        with pytest.raises(ValueError, match="listener"):
            await model.send(asks(name=name), listener)


@pytest.mark.parametrize("name", WIRES, indirect=True)
async def test_system_turns_and_cap_reach_the_provider(chat, name, sim):
    call = asks(name=name, system="Be brief.", max_output_tokens=9)
    turns = (Message(role="user", text="One?"), Message(role="assistant", text="1"), Message(role="user", text="Two?"))
    call = call.model_copy(update={"prompt": call.prompt.model_copy(update={"messages": turns})})
    async with chat() as model:
        reply = await model.send(call)
    entry = sim.ledger.calls[-1]
    assert (entry.system, entry.turns) == (
        "Be brief.",
        (("user", "One?"), ("assistant", "1"), ("user", "Two?")),
    )
    assert reply.finish == "length"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", WIRES, indirect=True)
async def test_usage_and_rate_limits_are_what_the_provider_told(chat, name, sim, streamed):
    async with chat() as model:
        reply = await model.send(asks(name=name), [].append if streamed else None)
    entry = sim.ledger.calls[-1]
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (entry.input_tokens, entry.output_tokens)
    assert reply.request_id == entry.request_id
    assert reply.rate.requests.limit == 20_000
    assert reply.rate.requests.remaining == 19_999
    assert reply.rate.tokens.limit == 40_000_000
    assert reply.rate.requests.reset_s is not None


@pytest.mark.parametrize("streamed", [False, True])
async def test_xai_tells_its_own_bill_and_its_reasoning_is_output(adapter, sim, streamed):
    async with adapter("xai") as model:
        reply = await model.send(asks(name="xai"), [].append if streamed else None)
    entry = sim.ledger.calls[-1]
    assert reply.cost_usd == pytest.approx(entry.cost_usd, abs=1e-10)
    assert reply.usage.output_tokens > len(reply.text) / 4


@pytest.mark.parametrize("name", ["anthropic", "openai"])
async def test_who_does_not_tell_a_bill_has_none(adapter, name):
    async with adapter(name) as model:
        assert (await model.send(asks(name=name))).cost_usd is None


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("fault", "finish"), [("refusal", "refusal"), ("max_tokens", "length"), ("empty", "stop")])
@pytest.mark.parametrize("name", WIRES)
async def test_how_an_answer_ends_is_told(adapter, sim, name, fault, finish, streamed):
    sim.set_faults({"fault": fault})
    async with adapter(name) as model:
        reply = await model.send(asks(name=name), [].append if streamed else None)
    assert reply.finish == finish
    assert bool(reply.text) == (fault != "empty")


async def test_openai_refuses_structured_output_in_a_field_of_its_own(adapter, sim):
    sim.set_faults({"fault": "refusal"})
    async with adapter("openai") as model:
        reply = await model.send(asks(name="openai", json_schema=SCHEMA), [].append)
    assert reply.finish == "refusal"
    assert reply.text == "I can't help with that."


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", WIRES)
async def test_missing_usage_is_estimated_and_marked(adapter, sim, name, streamed):
    sim.set_faults({"fault": "no_usage"})
    async with adapter(name) as model:
        reply = await model.send(asks(name=name), [].append if streamed else None)
    assert reply.usage == Usage(input_tokens=8, output_tokens=-(-len(reply.text) // 4), estimated=True)


async def test_a_connection_is_used_again_after_a_stream(adapter, sim, monkeypatch):
    import aiohttp

    made = []
    connect = aiohttp.TCPConnector.connect

    async def counted(self, *args, **kwargs):
        connection = await connect(self, *args, **kwargs)
        made.append(connection.transport.get_extra_info("sockname"))
        return connection

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", counted)
    async with adapter("anthropic") as model:
        for _ in range(3):
            await model.send(asks(), [].append)
    assert len(made) == 3
    assert len(set(made)) == 1


async def test_temperature_is_sent_only_when_the_call_has_one(adapter):
    async with adapter("anthropic") as model:
        await model.send(asks())
        with pytest.raises(CallRefused, match="temperature"):
            await model.send(asks(temperature=0.0))
    async with adapter("xai") as model:
        await model.send(asks(name="xai", temperature=0.0))


@pytest.mark.parametrize("name", WIRES)
async def test_the_environment_of_the_process_changes_nothing(adapter, sim, name, monkeypatch):
    for variable in ("ANTHROPIC_CUSTOM_HEADERS", "OPENAI_CUSTOM_HEADERS"):
        monkeypatch.setenv(variable, "Authorization: Bearer sk-bad\nanthropic-version: 1999-01-01")
    for variable in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-somebody")
    async with adapter(name) as model:
        assert (await model.send(asks(name=name))).finish == "stop"
