"""A cancelled call closes its connection: the provider stops writing, and billing, at once."""

import asyncio

import httpx
import pytest

from .conftest import WIRES, asks


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", WIRES)
async def test_cancelling_closes_the_socket(adapter, sim, name, streamed):
    sim.set_faults({"fault": "stall", "after": 1})
    first_piece = asyncio.Event()
    async with adapter(name) as chat, httpx.AsyncClient(base_url=sim.base_url) as control:
        send = asyncio.create_task(chat.send(asks(name=name), (lambda _: first_piece.set()) if streamed else None))
        await (first_piece.wait() if streamed else _arrived(control))
        send.cancel()
        with pytest.raises(asyncio.CancelledError):
            await send
        told = (await control.get("/_sim/ledger", params={"wait_idle": "true"})).json()
    assert told["in_flight"] == 0
    entry = told["calls"][-1]
    assert (entry["cancelled"], entry["complete"]) == (True, False)


async def test_cancelling_before_the_answer_leaves_the_adapter_usable(adapter, sim):
    sim.set_faults({"fault": "stall", "when": {"first": 1}})
    async with adapter("anthropic") as chat, httpx.AsyncClient(base_url=sim.base_url) as control:
        send = asyncio.create_task(chat.send(asks()))
        await _arrived(control)
        send.cancel()
        with pytest.raises(asyncio.CancelledError):
            await send
        assert (await chat.send(asks())).finish == "stop"


async def _arrived(control):
    told = await control.get("/_sim/ledger", params={"wait_calls": 1})
    assert told.json()["in_flight"] == 1
