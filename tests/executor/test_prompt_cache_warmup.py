"""Of calls that begin alike one goes ahead; the others come once the provider has read their beginning."""

from __future__ import annotations

import asyncio

import pytest

from ai3ray.executor.prompt_cache_warmup import KEPT_S, PATIENCE_S, PromptCacheWarmup
from tests.bench.bench_cache import measure


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Calls:
    """Calls of one model that are held back by a PromptCacheWarmup, by name."""

    def __init__(self, warmup: PromptCacheWarmup) -> None:
        self.warmup = warmup
        self.sent: list[str] = []
        self.words: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, name: str, *, model: str = "a/m", beginning: str = "The text.") -> None:
        self.words[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._call(name, model, beginning))
        await settled()

    async def word(self, name: str) -> None:
        self.words[name].set()
        await settled()

    async def stop(self, name: str) -> None:
        self.tasks[name].cancel()
        await settled()

    async def _call(self, name: str, model: str, beginning: str) -> None:
        async with self.warmup.turn(model, beginning) as begun:
            self.sent.append(name)
            await self.words[name].wait()
            begun()


async def settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls(clock: Clock) -> Calls:
    return Calls(PromptCacheWarmup(clock))


async def test_the_others_wait_for_the_first_word_and_then_come_together(calls):
    for name in ("one", "two", "three"):
        await calls.start(name)
    assert calls.sent == ["one"]
    await calls.word("one")
    assert calls.sent == ["one", "two", "three"]


async def test_another_model_and_another_beginning_wait_for_nobody(calls):
    await calls.start("one")
    await calls.start("two", model="b/m")
    await calls.start("three", beginning="Another text.")
    assert calls.sent == ["one", "two", "three"]


async def test_when_the_first_fails_before_its_first_word_the_next_goes_ahead_alone(calls):
    for name in ("one", "two", "three"):
        await calls.start(name)
    await calls.stop("one")
    assert calls.sent == ["one", "two"]
    await calls.word("two")
    assert calls.sent == ["one", "two", "three"]


async def test_one_that_gives_up_waiting_holds_up_nobody(calls):
    for name in ("one", "two", "three"):
        await calls.start(name)
    await calls.stop("two")
    await calls.word("one")
    assert calls.sent == ["one", "three"]


async def test_what_was_read_is_kept_for_a_while_and_each_use_prolongs_that(calls, clock):
    await calls.start("one")
    await calls.word("one")
    for name in ("two", "three"):
        clock.now += KEPT_S * 0.8
        await calls.start(name)
        await calls.word(name)
    clock.now += KEPT_S
    await calls.start("late")
    await calls.start("later")
    assert calls.sent == ["one", "two", "three", "late"]


async def test_nobody_waits_for_long(monkeypatch):
    monkeypatch.setattr("ai3ray.executor.prompt_cache_warmup.PATIENCE_S", 0.05)
    calls = Calls(PromptCacheWarmup(asyncio.get_running_loop().time))
    await calls.start("one")
    await calls.start("two")
    assert calls.sent == ["one"]
    async with asyncio.timeout(PATIENCE_S):
        await calls.word("two")
        await calls.tasks["two"]
    assert calls.sent == ["one", "two"]


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5-5", "openai/gpt-6.1-sol"])
def test_tasks_that_share_a_text_read_most_of_it_from_the_providers_cache(simulator, model):
    """As the simulator bills it; the bench has the full form."""
    figures = asyncio.run(measure(simulator, model, tasks=12, tokens=2000, seed=1))
    assert figures["share"] >= 0.75


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5-5"])
def test_a_task_alone_pays_for_no_cache_that_nobody_reads(simulator, model):
    asyncio.run(measure(simulator, model, tasks=1, tokens=2000, seed=1))
    (call,) = simulator.ledger.calls
    assert (call.cached_tokens, call.cache_write_tokens) == (0, 0)
