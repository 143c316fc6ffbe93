"""What a caller tells the pool of a call, beside how it ended."""

import asyncio

import pytest

from ai3ray.domain.call import Message, Prompt, RateHeaders, RateWindow, Usage
from ai3ray.domain.lease import Lease, LeaseRequest, Settlement
from ai3ray.errors import CallRefused, ProviderError, StreamCut
from ai3ray.executor.caller import Caller
from ai3ray.executor.core_client import CoreClient
from ai3ray.executor.port import Granted, Sync, Synced
from ai3ray.providers.scripted import ScriptedChat
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import RateTable

RATE = RateHeaders(requests=RateWindow(limit=60, remaining=3))


class Generous:
    """A core that grants every request once, and keeps what it is told."""

    def __init__(self) -> None:
        self.settled: list[Settlement] = []
        self._granted = 0

    async def sync(self, sync: Sync) -> Synced:
        self.settled += sync.settlements
        grants = []
        for request in sync.leases:
            self._granted += 1
            grants.append(
                Lease(
                    request_id=request.request_id,
                    run_id=request.run_id,
                    attempt_id=f"att_{self._granted}",
                    provider="p",
                    model="p/m",
                    token=self._granted,
                    expires_s=60.0,
                )
            )
        return Synced(grants=tuple(grants))

    async def grants(self, runner_id: str) -> Granted:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


async def settlement_of(error: ProviderError) -> Settlement:
    core = Generous()
    core_client = CoreClient(core, "runner")
    chat = ScriptedChat(lambda call: error)
    caller = Caller(core_client, lambda name: chat, lambda name: ModelCard(provider="p", id="m"), RateTable(()))
    prompt = Prompt(messages=(Message(role="user", text="hello"),))
    with pytest.raises(ProviderError):
        await caller.ask(LeaseRequest(request_id="w", run_id="r"), prompt)
    await core_client.flush()
    await core_client.aclose()
    return core.settled[0]


async def test_a_failure_passes_on_the_limits_that_its_reply_told():
    settled = await settlement_of(CallRefused("no", rate=RATE, retry_after_s=4.0))
    assert (settled.rate, settled.retry_after_s) == (RATE, 4.0)
    assert settled.usage == Usage()


async def test_a_failure_passes_on_what_it_had_used():
    used = Usage(input_tokens=9, output_tokens=2, estimated=True)
    settled = await settlement_of(StreamCut("cut", usage=used, maybe_paid=True))
    assert (settled.usage, settled.maybe_paid) == (used, True)


async def test_what_a_failure_may_have_used_is_unknown_when_nobody_told():
    assert (await settlement_of(StreamCut("cut", maybe_paid=True))).usage is None
