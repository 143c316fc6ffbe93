"""Leases, calls and fail-over for one prompt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from platform import node
from typing import Any

from ai3ray.domain.call import AttemptStatus, ModelCall, Prompt, Reply, Timeouts, Usage
from ai3ray.domain.error_info import error_info
from ai3ray.domain.ids import new_id
from ai3ray.domain.lease import Lease, LeaseRequest, Settlement
from ai3ray.domain.tokens import CHARS_PER_TOKEN
from ai3ray.errors import ConnectFailed, KeyRefused, ProviderError, UsageError
from ai3ray.executor.core_client import CoreClient, LeaseRefused
from ai3ray.executor.prompt_cache_warmup import PromptCacheWarmup
from ai3ray.pool.faults import fault_policy
from ai3ray.providers.port import ChatModel, OnText
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import RateTable

MAX_FAILURES = 4
"""Failures of one prompt until the last is raised."""
MAX_WAITS = 100
"""Rate limits of one prompt, apart from failures."""
WORTH_WAITING_CHARS = 1024 * CHARS_PER_TOKEN
"""Few caches keep shorter beginnings, so calls do not wait for them."""

OnFailure = Callable[[ProviderError], Awaitable[None]]


@dataclass(frozen=True)
class LeasedReply:
    """A complete reply with its lease."""

    lease: Lease
    reply: Reply
    cost_usd: float | None


@dataclass
class TriedModels:
    """Models and whole providers that one prompt has tried."""

    for_good: set[str] = field(default_factory=set)
    for_now: set[str] = field(default_factory=set)
    """Tried again when no other is left."""

    def names(self) -> tuple[str, ...]:
        """Return all names, sorted."""
        return tuple(sorted(self.for_good | self.for_now))


class Caller:
    """Makes model calls under the pool's leases."""

    def __init__(
        self,
        core_client: CoreClient,
        provider: Callable[[str], ChatModel],
        card: Callable[[str], ModelCard],
        prices: RateTable,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._core_client = core_client
        self._provider = provider
        self._card = card
        self._prices = prices
        self._timeouts = timeouts or Timeouts()
        self._cache_warmup = PromptCacheWarmup(time.monotonic)

    async def ask(
        self,
        request: LeaseRequest,
        prompt: Prompt,
        *,
        first: str | None = None,
        on_text: OnText | None = None,
        on_failure: OnFailure | None = None,
    ) -> LeasedReply:
        """Call until a model answers completely.

        After a failure the next-best model is called, at another provider if the first may be down. When none is left,
        models with a passing failure are tried again, up to MAX_FAILURES failures. Each try gets its own `request_id`.

        `first` is called before all others; `on_text` makes the call stream; `on_failure` receives failures that
        another try follows.

        Raises:
            ProviderError: the last failure.
            LeaseRefused: no model can be called, or the budget is spent.
        """
        tried = TriedModels(for_good=set(request.exclude))
        failures: list[ProviderError] = []
        waits = 0
        while True:
            models = (first,) if first else request.models
            stretch = request.stretch and not first  # other models may fit the budget
            try:
                lease = await self._core_client.lease(
                    request._replace(
                        request_id=new_id("request"), models=models, exclude=tried.names(), stretch=stretch
                    )
                )
            except LeaseRefused as refused:
                if first:
                    first = None
                elif failures and tried.for_now:
                    tried.for_now.clear()
                elif failures and not refused.over_budget:
                    raise _reported_failure(failures) from None
                else:
                    raise
                continue
            try:
                return await self._call(lease, prompt, on_text)
            except ProviderError as error:
                policy = fault_policy(error.type)
                if policy.freeze:  # the pool pauses its provider, so the model is not excluded
                    waits += 1
                else:
                    first = None
                    failures.append(error)
                    outage = policy.breaker == "count"
                    (tried.for_now if policy.retry_same else tried.for_good).add(
                        lease.provider if outage else lease.model
                    )
                if not policy.fail_over or len(failures) >= MAX_FAILURES or waits >= MAX_WAITS:
                    raise _reported_failure(failures or [error]) from error
                if on_failure is not None:
                    await on_failure(error)

    async def _call(self, lease: Lease, prompt: Prompt, on_text: OnText | None) -> LeasedReply:
        card = self._card(lease.model)
        if not card.sampling and prompt.temperature is not None:
            prompt = prompt.model_copy(update={"temperature": None})
        cap = min(prompt.max_output_tokens, card.max_output)
        call = ModelCall(
            model=card.id,
            prompt=prompt.model_copy(update={"max_output_tokens": cap}),
            timeouts=self._timeouts,
        )
        began: float | None = None
        try:
            async with self._warmed_up(lease, prompt) as begun:
                began = asyncio.get_running_loop().time()
                reply = await self._adapter(lease).send(call, on_text and _with_first_piece(on_text, begun))
        except ProviderError as error:
            self._settle(
                lease,
                "failed",
                began,
                error=error_info(error),
                retry_after_s=error.retry_after_s,
                request_id=error.request_id,
                usage=error.usage if error.usage or error.maybe_paid else Usage(),
                cost_usd=self._cost(lease, error.usage) if error.usage else None,
                rate=error.rate,
                maybe_paid=error.maybe_paid,
            )
            raise
        except asyncio.CancelledError:
            self._settle(lease, "cancelled", began, maybe_paid=began is not None)
            raise
        cost = self._cost(lease, reply.usage) if reply.cost_usd is None else reply.cost_usd
        self._settle(
            lease,
            "succeeded",
            began,
            usage=reply.usage,
            cost_usd=cost,
            request_id=reply.request_id,
            first_token_s=reply.first_token_s,
            rate=reply.rate,
        )
        return LeasedReply(lease=lease, reply=reply, cost_usd=cost)

    @asynccontextmanager
    async def _warmed_up(self, lease: Lease, prompt: Prompt) -> AsyncIterator[Callable[[], None]]:
        """Let one call with the same beginning go first, if cached input is cheaper."""
        beginning, rates = prompt.beginning, self._prices.list_price(lease.provider, self._card(lease.model).id)
        cached = rates is not None and rates.cache_read is not None and rates.cache_read < rates.input
        if not cached or len(beginning) < WORTH_WAITING_CHARS:
            yield lambda: None
            return
        async with self._cache_warmup.turn(lease.model, beginning) as begun:
            yield begun

    def _cost(self, lease: Lease, usage: Usage) -> float | None:
        return self._prices.cost(lease.provider, self._card(lease.model).id, usage)

    def _adapter(self, lease: Lease) -> ChatModel:
        try:
            return self._provider(lease.provider)
        except UsageError as error:  # this node has no usable key
            model = self._card(lease.model).id
            raise KeyRefused(f"{error} (on node {node()})", provider=lease.provider, model=model) from error

    def _settle(self, lease: Lease, status: AttemptStatus, began: float | None, **fields: Any) -> None:
        seconds = 0.0 if began is None else round(asyncio.get_running_loop().time() - began, 6)
        self._core_client.settle(
            Settlement(attempt_id=lease.attempt_id, token=lease.token, status=status, seconds=seconds, **fields)
        )


def _reported_failure(failures: list[ProviderError]) -> ProviderError:
    """Return the last failure, or all hosts' if none was reachable."""
    last = failures[-1]
    if not all(isinstance(failure, ConnectFailed) for failure in failures):
        return last
    words = "; ".join(dict.fromkeys(str(failure) for failure in failures))
    return ConnectFailed(words, provider=last.provider, model=last.model)


def _with_first_piece(on_text: OnText, begun: Callable[[], None]) -> OnText:

    def receive(text: str) -> None:
        begun()
        on_text(text)

    return receive


class LazyProviders:
    """Builds adapters at first use, so that unused SDKs are not imported."""

    def __init__(self, build: Callable[[str], ChatModel]) -> None:
        self._build = build
        self._built: dict[str, ChatModel] = {}

    def __call__(self, name: str) -> ChatModel:
        """Return an adapter. Raises MissingKey if this node has no key."""
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    @property
    def built(self) -> Mapping[str, ChatModel]:
        """Return the adapters in use."""
        return self._built

    async def aclose(self) -> None:
        """Close all connections."""
        for provider in self._built.values():
            await provider.aclose()
