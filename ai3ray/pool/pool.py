"""The provider pool: every model call of every run asks here first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from ai3ray.domain.events import Candidate, Warned
from ai3ray.domain.views import ModelView
from ai3ray.pool.account import Account
from ai3ray.pool.backoff import Backoff
from ai3ray.pool.buckets import Allowance
from ai3ray.pool.faults import rule
from ai3ray.pool.lease import Lease, LeaseRequest, Refusal, Settled, Settlement
from ai3ray.pool.market import Market
from ai3ray.pool.show import PoolSnapshot, model_views, provider_views
from ai3ray.pool.waiters import Waiter, WaitingRoom
from ai3ray.registry.registry import Registry
from ai3ray.router.weights import load_weights
from ai3ray.settings import Settings
from ai3ray.telemetry.live import LiveStats

LEASE_S = 660.0
"""Seconds after which a permit is taken back: the longest a call may last, and a minute."""


@dataclass(frozen=True)
class _Held:
    """A lease that has not been settled."""

    lease: Lease
    began: float
    probe: bool
    input_tokens: int


class ProviderPool:
    """Routes and admits in one step, under the limits of every provider and run.

    A wish gets the best model that can be called now; it waits only while none of its models can. It is
    refused when there is none to wait for: every one is excluded, or its provider is out. Pure and
    synchronous: the host calls `expire` when `next_expiry` says so.

    Args:
        registry: the models and their prices.
        settings: limits and weights.
        configured: the providers that can be called.
        clock: monotonic seconds.
        new_id: makes attempt ids.

    Raises:
        SettingsError: `router.toml` is wrong.
    """

    def __init__(
        self,
        registry: Registry,
        settings: Settings,
        configured: Collection[str],
        *,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._accounts = {name: _account(name, settings) for name in configured}
        self._live: dict[str, LiveStats] = {}
        self._holds: dict[str, Backoff] = {}
        self._market = Market(registry, self._accounts, load_weights(settings), self._live, self._holds)
        self._leases: dict[str, _Held] = {}
        self._tokens = count(1)
        self._room = WaitingRoom()
        self._runs: set[str] = set()
        self._in_flight: Counter[str] = Counter()
        self._warned: set[tuple[str, str]] = set()
        self._wake_at: float | None = None
        self._stale = False

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def lease(self, request: LeaseRequest) -> Lease | Refusal | None:
        """The right to make one call; None when the wish has to wait, and is answered by a later method."""
        now = self._clock()
        self._greet(request.run_id, now)
        if self._room and self._wake_at is not None and now >= self._wake_at:
            return self._wait(request, now)  # others came first; `next_expiry` is due at once
        return self._decide(request, now)

    def preview(self, request: LeaseRequest) -> tuple[Candidate, ...]:
        """How the wish would be routed if every provider had a permit free."""
        return self._market.preview(request, self._clock())

    def withdraw(self, request_ids: Iterable[str]) -> tuple[Lease | Refusal, ...]:
        """Forget wishes that wait; those granted already are not touched. Returns what others get instead."""
        for request_id in request_ids:
            self._room.remove(request_id)
        return self._pump(self._clock())

    def drop_run(self, run_id: str) -> None:
        """The run has ended: its wishes are forgotten. Its leases stay until they are settled."""
        self._room.remove_run(run_id)
        self._runs.discard(run_id)
        self._warned = {known for known in self._warned if known[1] != run_id}

    # ── answering ────────────────────────────────────────────────────────────────────────────────

    def settle(self, settlement: Settlement) -> Settled:
        """Take back a permit, learn from how its call ended, and hand the permit on."""
        held = self._leases.get(settlement.attempt_id)
        if held is None or held.lease.token != settlement.token:
            return Settled(accepted=False)
        now = self._clock()
        warning = self._close(held, settlement, now)
        return Settled(accepted=True, grants=self._pump(now), warnings=(warning,) if warning else ())

    def expire(self) -> tuple[tuple[str, ...], Settled]:
        """Take back the permits of leases that ran out, and serve who can be served by now.

        Returns:
            the attempt ids of those leases, whose late settlements will be refused; and what waiting
            wishes get.
        """
        now = self._clock()
        expired = [held for held in self._leases.values() if now >= held.began + held.lease.expires_s]
        for held in expired:
            lease = held.lease
            self._close(held, Settlement(attempt_id=lease.attempt_id, token=lease.token, status="lost"), now)
        return tuple(held.lease.attempt_id for held in expired), Settled(accepted=True, grants=self._pump(now))

    def next_expiry(self) -> float | None:
        """Seconds until `expire` has something to do; None while it has not."""
        # Leases are kept in the order of their beginning and all last equally long.
        oldest = next(iter(self._leases.values()), None)
        due = [oldest.began + oldest.lease.expires_s] if oldest else []
        if self._room and self._wake_at is not None:
            due.append(self._wake_at)
        return max(0.0, min(due) - self._clock()) if due else None

    # ── showing and tuning ───────────────────────────────────────────────────────────────────────

    def leases(self) -> tuple[Lease, ...]:
        """The leases that are out, oldest first."""
        return tuple(held.lease for held in self._leases.values())

    def views(self) -> list[ModelView]:
        """Every model of the registry with its live telemetry."""
        return model_views(self._registry, self._market.passed, self._accounts, self._live)

    def snapshot(self) -> PoolSnapshot:
        """How things stand, provider by provider."""
        waiting = Counter(model.partition("/")[0] for waiter in self._room for model in waiter.models)
        return PoolSnapshot(providers=provider_views(self._accounts, self._clock(), waiting), waiting=len(self._room))

    def warm_start(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Begin with what the journal knows: rows of the view `model_stats`, by column name."""
        for row in rows:
            judged = row["successes"] + row["failures"]
            if judged:
                self._stats(row["model"]).warm(
                    calls=row["calls"], success=row["successes"] / judged, p50_s=row["p50_s"], cost_usd=row["cost_usd"]
                )

    def set_limits(self, settings: Settings) -> tuple[Lease | Refusal, ...]:
        """Put other limits of calls in flight into force; those above a lower one end in their own time."""
        for name, account in self._accounts.items():
            account.limit = settings.provider_limit(name)
        return self._pump(self._clock())

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _greet(self, run_id: str, now: float) -> None:
        """A new run has every provider that is out probed once: its owner may have mended it."""
        if run_id in self._runs:
            return
        self._runs.add(run_id)
        reopened = [account.new_run() for account in self._accounts.values()]
        if any(reopened) and self._room:
            self._stale, self._wake_at = True, now

    def _decide(self, request: LeaseRequest, now: float) -> Lease | Refusal | None:
        """Take the best model that can be called now; failing that, wait; failing that, refuse."""
        if self._in_flight[request.run_id] < request.run_limit:
            ranked = self._market.ranked(request, now)
            if ranked and ranked[0].excluded is None:
                return self._grant(request, ranked, now)
        return self._wait(request, now)

    def _grant(self, request: LeaseRequest, ranked: tuple[Candidate, ...], now: float) -> Lease:
        model = ranked[0].model
        provider = model.partition("/")[0]
        lease = Lease(
            request_id=request.request_id,
            run_id=request.run_id,
            attempt_id=self._new_id(),
            provider=provider,
            model=model,
            token=next(self._tokens),
            expires_s=LEASE_S,
            candidates=ranked,
        )
        probe = self._accounts[provider].take()
        self._accounts[provider].rates.reserve(request.input_tokens, now)
        self._leases[lease.attempt_id] = _Held(lease, now, probe, request.input_tokens)
        self._in_flight[request.run_id] += 1
        self._stats(model).begin()
        return lease

    def _wait(self, request: LeaseRequest, now: float) -> Refusal | None:
        """Let the wish wait, or refuse it when there is nothing to wait for."""
        models = self._market.hopes(request, now)
        if not models:
            return self._market.refusal(request, now)
        self._room.add(Waiter(request, models))
        times = [at for at in (self._wake_at, self._next_change(now)) if at is not None]
        self._wake_at = min(times, default=None)
        return None

    def _pump(self, now: float) -> tuple[Lease | Refusal, ...]:
        """Serve waiting wishes until none of them can be."""
        answers: list[Lease | Refusal] = list(self._review(now)) if self._stale else []
        while self._room and (waiter := self._room.next(partial(self._ready, self._market.callable(now)))) is not None:
            answer = self._decide(waiter.request, now)
            if answer is not None:
                answers.append(answer)
        self._wake_at = self._next_change(now)
        return tuple(answers)

    def _next_change(self, now: float) -> float | None:
        """When time alone lets something be called that cannot be now."""
        pauses = [until for account in self._accounts.values() for until in account.pauses(now)]
        pauses += [hold.until for hold in self._holds.values()]
        return min((until for until in pauses if until > now), default=None)

    def _ready(self, models: frozenset[str], waiter: Waiter) -> bool:
        request = waiter.request
        return self._in_flight[request.run_id] < request.run_limit and not models.isdisjoint(waiter.models)

    def _review(self, now: float) -> list[Refusal]:
        """Providers went out or came back: refuse the wishes that have nothing left to wait for."""
        self._stale = False
        refusals = []
        for waiter in self._room:
            waiter.models = self._market.hopes(waiter.request, now)
            if not waiter.models:
                self._room.remove(waiter.request.request_id)
                refusals.append(self._market.refusal(waiter.request, now))
        return refusals

    def _close(self, held: _Held, settlement: Settlement, now: float) -> Warned | None:
        """A leased call has ended: take everything back, learn, and say when its provider is out."""
        lease = held.lease
        account = self._accounts[lease.provider]
        before = (account.out, account.failure is None)
        del self._leases[lease.attempt_id]
        self._in_flight[lease.run_id] -= 1
        if not self._in_flight[lease.run_id]:
            del self._in_flight[lease.run_id]
        account.give_back(probe=held.probe)
        account.rates.correct(held.input_tokens, settlement.usage, now)
        self._learn(held, settlement, account, now)
        self._stale = self._stale or (account.out, account.failure is None) != before
        if account.failure is None or account.failure != settlement.error:
            return None
        return self._warning(account, lease.run_id)

    def _learn(self, held: _Held, settlement: Settlement, account: Account, now: float) -> None:
        model = held.lease.model
        success: bool | None = None
        if settlement.status == "succeeded":
            success = True
            account.succeeded(probe=held.probe)
            self._holds.pop(model, None)
        elif settlement.status == "failed" and settlement.error is not None:
            fault = rule(settlement.error.type)
            success = False if fault.counts_against_model else None
            account.failed(fault, settlement.error, now, held.began, settlement.retry_after_s)
            if fault.retry_same and not fault.freeze:
                self._holds.setdefault(model, Backoff(base_s=0.25, cap_s=8.0)).strike(now, held.began)
        self._stats(model).end(success=success, seconds=settlement.seconds, cost_usd=settlement.cost_usd)

    def _warning(self, account: Account, run_id: str) -> Warned | None:
        """Once per run and provider: what took it out, and what its owner can look at."""
        failure = account.failure
        if failure is None or (account.name, run_id) in self._warned:
            return None
        self._warned.add((account.name, run_id))
        check = f"; check {account.key_variable}" if account.key_variable else ""
        request = f" (request {failure.request_id})" if failure.request_id else ""
        return Warned(code="provider_out", message=f"{account.name} is out: {failure.message}{request}{check}")

    def _stats(self, model: str) -> LiveStats:
        stats = self._live.get(model)
        if stats is None:
            stats = self._live[model] = LiveStats(self._clock)
        return stats


def _account(name: str, settings: Settings) -> Account:
    provider = settings.providers[name]
    return Account(name, settings.provider_limit(name), provider.api_key_env, Allowance(provider))
