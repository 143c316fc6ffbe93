"""The provider pool: every model call of every run asks here first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import count, takewhile
from math import inf
from typing import Any, NamedTuple

from ai3ray.domain.events import Candidate, Warned
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settled, Settlement
from ai3ray.domain.listings import ModelView
from ai3ray.domain.plan import Kind
from ai3ray.pool.account.account import Account
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.account.charge import Charge, final_charge, initial_charge
from ai3ray.pool.account.rate_class import RateClass
from ai3ray.pool.budget.budgets import BudgetCheck, Budgets
from ai3ray.pool.candidate_index import CandidateIndex
from ai3ray.pool.faults import rule
from ai3ray.pool.queue.lease_queue import LeaseQueue, Waiter
from ai3ray.pool.views import PoolSnapshot, model_views, provider_views
from ai3ray.registry.registry import Registry
from ai3ray.router.conditions import PricedModel
from ai3ray.router.rank import Ranking
from ai3ray.router.router import Router
from ai3ray.settings.model import Settings

LEASE_S = 660.0
"""Seconds after which a permit is taken back: the longest a call may last, and a minute."""


class _OpenLease(NamedTuple):
    """A lease that has not been settled."""

    lease: Lease
    began: float
    probe: bool
    rate_class: RateClass
    charge: Charge


class ProviderPool:
    """Routes and admits in one step, under the limits of every provider and run.

    a lease request gets the best model that can be called now; it waits only while none of its models can. It is
    refused when there is none to wait for: every one is excluded, its provider is out, or its budget is spent
    (see `ledger`). Pure and synchronous: the host calls `expire` when `next_expiry` says so.

    Args:
        registry: the models and their prices.
        settings: limits and weights.
        configured: the providers that can be called.
        clock: monotonic seconds.
        new_id: makes attempt ids.
        jitter: numbers from 0 to 1, random ones where calls are real: by them pauses differ from pool to pool.

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
        jitter: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._new_id = new_id
        self._accounts = {name: Account(name, settings, clock(), jitter) for name in configured}
        self._holds: dict[str, Backoff] = {}
        self._router = Router(settings, clock)
        self._index = CandidateIndex(registry, self._accounts, self._router, self._holds)
        self.budgets = Budgets(registry, settings.budget_day_usd)
        """What the runs may spend, and what they have spent."""
        self._leases: dict[str, _OpenLease] = {}
        self._tokens = count(1)
        self._queue = LeaseQueue()
        self._runs: set[str] = set()
        self._in_flight: Counter[str] = Counter()
        self._warned: set[tuple[str, str]] = set()
        self._wake_at: float | None = None
        self._providers_changed = False
        self._settled_runs: set[str] = set()
        self._unfunded_runs: set[str] = set()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def lease(self, request: LeaseRequest) -> Lease | Refusal | None:
        """The right to make one call; None when the request has to wait, and is answered by a later method."""
        now = self._clock()
        self._open_run(request.run_id, now)
        if self._queue and self._wake_at is not None and now >= self._wake_at:
            return self._wait(request, now)  # others came first; `next_expiry` is due at once
        return self._decide(request, now)

    def preview(self, request: LeaseRequest) -> tuple[Candidate, ...]:
        """How the request would be routed if every provider had a permit free."""
        return self._index.preview(request, self._clock())

    def withdraw(self, request_ids: Iterable[str]) -> tuple[Lease | Refusal, ...]:
        """Forget requests that wait; those granted already are not touched. Returns what others get instead."""
        for request_id in request_ids:
            self._queue.remove(request_id)
        return self._serve_waiting(self._clock())

    def drop_run(self, run_id: str) -> None:
        """The run has ended: its requests are forgotten. Its leases stay until they are settled."""
        self._queue.remove_run(run_id)
        self._runs.discard(run_id)
        self._unfunded_runs.discard(run_id)
        self.budgets.close_run(run_id)
        self._warned = {known for known in self._warned if known[1] != run_id}

    # ── answering ────────────────────────────────────────────────────────────────────────────────

    def settle(self, settlement: Settlement) -> Settled:
        """Take back a permit, learn from how its call ended, and hand the permit on."""
        held = self._leases.get(settlement.attempt_id)
        if held is None or held.lease.token != settlement.token:
            return Settled(accepted=False)
        now = self._clock()
        warning = self._close(held, settlement, now)
        return Settled(accepted=True, grants=self._serve_waiting(now), warnings=(warning,) if warning else ())

    def expire(self) -> tuple[tuple[str, ...], Settled]:
        """Take back the permits of leases that ran out, and serve who can be served by now.

        Returns:
            the attempt ids of those leases, whose late settlements will be refused; and what waiting
            requests get.
        """
        now = self._clock()
        # Leases are kept in the order of their beginning and all last equally long.
        expired = list(takewhile(lambda held: now >= held.began + held.lease.expires_s, self._leases.values()))
        for held in expired:
            lease = held.lease
            self._close(held, Settlement(attempt_id=lease.attempt_id, token=lease.token, status="lost"), now)
        return tuple(held.lease.attempt_id for held in expired), Settled(accepted=True, grants=self._serve_waiting(now))

    def next_expiry(self) -> float | None:
        """Seconds until `expire` has something to do; None while it has not."""
        oldest = next(iter(self._leases.values()), None)
        due = [oldest.began + oldest.lease.expires_s] if oldest else []
        if self._queue and self._wake_at is not None:
            due.append(self._wake_at)
        return max(0.0, min(due) - self._clock()) if due else None

    # ── showing and tuning ───────────────────────────────────────────────────────────────────────

    def leases(self) -> tuple[Lease, ...]:
        """The leases that are out, oldest first."""
        return tuple(held.lease for held in self._leases.values())

    def views(self) -> list[ModelView]:
        """Every model of the registry with its live telemetry."""
        return model_views(self._registry, self._index.passed_through, self._accounts, self._router.live)

    def snapshot(self) -> PoolSnapshot:
        """How things stand, provider by provider."""
        waiting = Counter(model.partition("/")[0] for waiter in self._queue for model in waiter.models)
        return PoolSnapshot(providers=provider_views(self._accounts, self._clock(), waiting), waiting=len(self._queue))

    def warm_start(
        self,
        rows: Iterable[Mapping[str, Any]],
        kinds: Iterable[Mapping[str, Any]] = (),
        latest: Iterable[str] = (),
    ) -> None:
        """Begin with what the journal knows.

        Args:
            rows: of the view `model_stats`, by column name.
            kinds: of the view `model_kind_stats`, by column name.
            latest: the models of the latest calls, oldest first.
        """
        self._router.load_call_stats(rows, self._index.card, latest)
        self._router.load_verdict_stats(kinds, self._index.card)

    def record_verdict(self, model: str, kind: Kind, *, passed: bool, score: float) -> None:
        """An answer was verified; the router learns what its author is worth at this kind of work.

        Args:
            model: its author, as `provider/model`.
            kind: the kind of its task.
            passed: whether it could be committed; one that is sent back counts as worth nothing.
            score: how good its check found it, 0 to 1.
        """
        card = self._index.card(model)
        if card is not None:
            self._router.record_verdict(kind, card, passed=passed, score=score)

    def set_limits(self, settings: Settings) -> tuple[Lease | Refusal, ...]:
        """Put other limits into force; calls above a lower one end in their own time."""
        now = self._clock()
        for account in self._accounts.values():
            account.configure(settings, now)
        self._index.changed()
        return self._serve_waiting(now)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _open_run(self, run_id: str, now: float) -> None:
        """A new run has every provider that is out probed once: its owner may have mended it."""
        if run_id in self._runs:
            return
        self._runs.add(run_id)
        reopened = [account.allow_probe() for account in self._accounts.values()]
        self._index.changed()
        if any(reopened) and self._queue:
            self._providers_changed, self._wake_at = True, now

    def _decide(self, request: LeaseRequest, now: float) -> Lease | Refusal | None:
        """Take the best model that can be called now; failing that, wait; failing that, refuse."""
        unpaid = False
        if self._in_flight[request.run_id] < request.run_limit and self._index.callable(now):
            budget_check = self._budget_check(request, now)
            ranking = self._index.ranked(request, now, budget_check.exclusions if budget_check else None)
            if ranking.best is not None:
                if budget_check is None or ranking.best.name in budget_check.affordable.ready:
                    return self._grant(request, ranking, ranking.best, now)
                # What it wants is held for calls in flight. Until one of them is settled nobody of its run is asked.
                unpaid = True
                self._unfunded_runs.add(request.run_id)
        return self._wait(request, now, unpaid=unpaid)

    def _grant(self, request: LeaseRequest, ranking: Ranking, best: PricedModel, now: float) -> Lease:
        model, account = best.name, self._accounts[best.provider]
        attempt_id = self._new_id()
        lease = Lease(
            request_id=request.request_id,
            run_id=request.run_id,
            attempt_id=attempt_id,
            provider=best.provider,
            model=model,
            token=next(self._tokens),
            expires_s=LEASE_S,
            reserved_usd=self.budgets.reserve(request, attempt_id, best.card),
            choice=ranking,
        )
        rate_class = account.rate_class(best.card)
        cap = min(request.max_output_tokens, best.card.max_output)
        charge = initial_charge(account.admission, request, cap, rate_class.usual_output)
        account.rates.reserve(charge, now)
        rate_class.take(charge, now)
        self._leases[lease.attempt_id] = _OpenLease(lease, now, account.take(), rate_class, charge)
        self._in_flight[request.run_id] += 1
        self._router.call_began(best)
        self._index.changed()
        return lease

    def _wait(self, request: LeaseRequest, now: float, *, unpaid: bool = False) -> Refusal | None:
        """Let the request wait, or refuse it when there is nothing to wait for."""
        waiter = self._prospects(request, now)
        if isinstance(waiter, Refusal):
            return waiter
        waiter.unpaid = waiter.unpaid or unpaid
        self._queue.add(waiter)
        times = [at for at in (self._wake_at, self._next_change(now)) if at is not None]
        self._wake_at = min(times, default=None)
        return None

    def _budget_check(self, request: LeaseRequest, now: float) -> BudgetCheck | None:
        """What the request may be spent on; None when it is under no budget."""
        if not self.budgets.applies_to(request):
            return None
        return self.budgets.budget_check(request, self._index.eligible(request, now).cards)

    def _prospects(self, request: LeaseRequest, now: float) -> Waiter | Refusal:
        """Which models may answer a lease request sooner or later, or why none will."""
        cards, eligible = self._index.eligible(request, now)
        if not cards:
            return self._index.refusal(request, now)
        budget_check = self.budgets.budget_check(request, cards)
        if budget_check is None:
            return Waiter(request, eligible)
        if budget_check.exceeded:
            return self.budgets.refusal(request, budget_check)
        return Waiter(
            request, budget_check.affordable.allowed, eligible, budget_check.floor, unpaid=budget_check.blocked
        )

    def _serve_waiting(self, now: float) -> tuple[Lease | Refusal, ...]:
        """Serve waiting requests until none of them can be."""
        answers: list[Lease | Refusal] = (
            list(self._recheck_waiting(now)) if self._providers_changed or self._settled_runs else []
        )
        while self._queue and (waiter := self._queue.next(self._index.callable(now), self._ready)) is not None:
            answer = self._decide(waiter.request, now)
            if answer is not None:
                answers.append(answer)
        self._wake_at = self._next_change(now) if self._queue else None
        return tuple(answers)

    def _next_change(self, now: float) -> float | None:
        """When time alone lets something be called that cannot be now."""
        due = [account.resumes_at(now) for account in self._accounts.values()]
        due += [hold.until for hold in self._holds.values() if hold.until > now]
        first = min(due, default=inf)
        return first if first < inf else None

    def _ready(self, waiter: Waiter) -> bool:
        request = waiter.request
        if waiter.unpaid or request.run_id in self._unfunded_runs:
            return False
        return self._in_flight[request.run_id] < request.run_limit

    def _recheck_waiting(self, now: float) -> list[Refusal]:
        """Refuse the requests with nothing left to wait for: providers went out or came back, or money was spent."""
        stale, self._providers_changed, paid, self._settled_runs = (
            self._providers_changed,
            False,
            self._settled_runs,
            set(),
        )
        anybody = stale or self.budgets.by_day
        self._unfunded_runs = set() if anybody else self._unfunded_runs - paid
        refusals = []
        for waiter in self._queue if anybody else [waiter for run_id in paid for waiter in self._queue.of_run(run_id)]:
            again = self._renewed(waiter, now, stale=stale)
            if isinstance(again, Refusal):
                self._queue.remove(waiter.request.request_id)
                refusals.append(again)
            elif again is not waiter:
                self._queue.update(waiter, again)
        for run_id in (None,) if anybody else paid:
            self._queue.recheck(run_id)
        return refusals

    def _renewed(self, waiter: Waiter, now: float, *, stale: bool) -> Waiter | Refusal:
        """The same request as things are now; `stale` when providers went out or came back."""
        payable = None if waiter.floor is None else self.budgets.can_pay(waiter.request.run_id, waiter.floor)
        if stale or (waiter.floor is not None and payable is None):
            return self._prospects(waiter.request, now)
        if payable is None:
            return waiter
        # Whether it really can be paid is decided when it is served.
        return replace(waiter, models=waiter.eligible, unpaid=not payable)

    def _close(self, held: _OpenLease, settlement: Settlement, now: float) -> Warned | None:
        """A leased call has ended: take everything back, learn, and say when its provider is out."""
        lease = held.lease
        account = self._accounts[lease.provider]
        before = (account.out, account.failure is None)
        del self._leases[lease.attempt_id]
        self._in_flight[lease.run_id] -= 1
        if not self._in_flight[lease.run_id]:
            del self._in_flight[lease.run_id]
        if self.budgets.settle(settlement):
            self._settled_runs.add(lease.run_id)
        self._queue.recheck(lease.run_id)
        final = final_charge(account.admission, held.charge, settlement.usage)
        account.rates.correct(held.charge, final, now)
        held.rate_class.settle(held.charge, final, now)
        self._learn(held, settlement, account, now)
        account.release(probe=held.probe)
        self._index.changed()
        self._providers_changed = self._providers_changed or (account.out, account.failure is None) != before
        if account.failure is None or account.failure != settlement.error:
            return None
        return self._warning(account, lease.run_id)

    def _learn(self, held: _OpenLease, settlement: Settlement, account: Account, now: float) -> None:
        model = held.lease.model
        success: bool | None = None
        if settlement.status == "succeeded":
            success = True
            account.succeeded(now, probe=held.probe)
            held.rate_class.answered(settlement.usage, held.began)
            self._holds.pop(model, None)
        elif settlement.status == "failed" and settlement.error is not None:
            fault = rule(settlement.error.type)
            success = False if fault.counts_against_model else None
            account.failed(fault, settlement.error, now, held.began, settlement.retry_after_s)
            if fault.freeze or (settlement.retry_after_s is not None and fault.breaker != "out"):
                held.rate_class.pause(now, held.began, settlement.retry_after_s, account.limiter.limit)
            if fault.retry_same and not fault.freeze:
                self._holds.setdefault(model, Backoff(base_s=0.25, cap_s=8.0)).extend(now, held.began)
        held.rate_class.hear(settlement.rate, now, held.began)
        self._router.call_ended(
            model,
            success=success,
            seconds=settlement.seconds,
            cost_usd=settlement.cost_usd,
            usage=settlement.usage,
        )

    def _warning(self, account: Account, run_id: str) -> Warned | None:
        """Once per run and provider: what took it out, and what its owner can look at."""
        failure = account.failure
        if failure is None or (account.name, run_id) in self._warned:
            return None
        self._warned.add((account.name, run_id))
        check = f"; check {account.settings.api_key_env}" if account.settings.api_key_env else ""
        request = f" (request {failure.request_id})" if failure.request_id else ""
        return Warned(code="provider_out", message=f"{account.name} is out: {failure.message}{request}{check}")
