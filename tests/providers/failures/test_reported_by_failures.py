"""A failed call tells of the account's limits, and of what it used, as far as its reply had come."""

import copy
import pickle

import pytest

from ai3ray.domain.call import Usage
from ai3ray.errors import ProviderError, RateLimited
from tests.providers.conftest import WIRES, asks


async def failure(adapter, sim, name, fault, on_text=None) -> ProviderError:
    sim.set_faults({"fault": fault, "retry_after": 7})
    async with adapter(name) as chat:
        with pytest.raises(ProviderError) as caught:
            await chat.send(asks(name=name), on_text)
    return caught.value


@pytest.mark.parametrize("name", WIRES)
async def test_a_refused_call_tells_the_limits_and_has_used_nothing(adapter, sim, name):
    error = await failure(adapter, sim, name, "rate_limit")
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7.0
    assert error.rate.requests.limit == 20_000
    assert error.rate.requests.remaining <= 20_000
    assert error.usage is None


@pytest.mark.parametrize("name", WIRES)
async def test_a_stream_that_breaks_off_tells_limits_and_what_was_used_until_then(adapter, sim, name):
    pieces = []
    error = await failure(adapter, sim, name, "cut", pieces.append)
    assert error.rate.requests.limit == 20_000
    assert error.usage.estimated
    assert error.usage.input_tokens > 0
    assert error.usage.output_tokens == -(-len("".join(pieces)) // 4)


@pytest.mark.parametrize("name", WIRES)
async def test_an_overload_inside_a_stream_tells_them_too(adapter, sim, name):
    error = await failure(adapter, sim, name, "error_event", [].append)
    assert error.rate.tokens.limit == 40_000_000
    assert error.usage is not None


@pytest.mark.parametrize("name", WIRES)
async def test_without_a_reply_nothing_is_told(adapter, sim, name):
    error = await failure(adapter, sim, name, "refuse_connection")
    assert (error.rate, error.usage) == (None, None)


@pytest.mark.parametrize("name", WIRES)
async def test_what_is_told_survives_the_way_from_process_to_process(adapter, sim, name):
    error = await failure(adapter, sim, name, "cut", [].append)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (twin.rate, twin.usage, twin.maybe_paid) == (error.rate, error.usage, True)
    assert isinstance(error.usage, Usage)
