"""The provider pool: every model call needs its lease."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from itertools import count, takewhile
from math import inf
from typing import Any, NamedTuple

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import Candidate, Warned
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settled, Settlement
from ai3ray.domain.listings import ModelView
from ai3ray.domain.plan import Kind
from ai3ray.pool.account.account import Account
from ai3ray.pool.account.backoff import Backoff
from ai3ray.pool.account.charge import Charge, final_charge, initial_charge
from ai3ray.pool.account.rate_class import RateClass
from ai3ray.pool.budget.budgets import Budgets
from ai3ray.pool.budget.ledger import Quote
from ai3ray.pool.candidate_index import CandidateIndex
from ai3ray.pool.evaluation import Evaluation
from ai3ray.pool.faults import fault_policy
from ai3ray.pool.queue.lease_queue import LeaseQueue, Waiter
from ai3ray.pool.views import PoolSnapshot, model_views, provider_views
from ai3ray.registry.registry import Registry
from ai3ray.router.conditions import PricedModel
from ai3ray.router.router import Router
from ai3ray.settings.model import Settings

LEASE_S = 660.0
"""Seconds until a permit is taken back: one minute above the longest call."""


class _UnsettledLease(NamedTuple):
    lease: Lease
    began: float
    probe: bool
    rate_class: RateClass
    charge: Charge


class ProviderPool:
    """Routes and admits model calls in one step, under all limits.

    A request gets the best model that can be called now, waits while there is none, and is refused when none ever will
    be. The host calls `expire` when `next_expiry` is due. `configured` names callable providers, `clock` returns
    monotonic seconds, `new_id` an attempt id, `jitter` numbers from 0 to 1 that vary pauses.

    Raises:
        SettingsError: `router.toml` is invalid.
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
        self._pauses: dict[str, Backoff] = {}
        self._router = Router(settings, clock)
        self._index = CandidateIndex(registry, self._accounts, self._router, self._pauses)
        self.budgets = Budgets(registry, settings.budget_day_usd)
        self._leases: dict[str, _UnsettledLease] = {}
        self._tokens = count(1)
        self._queue = LeaseQueue()
        self._wake_at: float | None = None
        self._runs: set[str] = set()
        self._in_flight: Counter[str] = Counter()
        self._unfunded_runs: set[str] = set()  # not served until one of their calls is settled
        self._settled_runs: set[str] = set()  # settlements may have freed money since the last recheck
        self._providers_changed = False  # one went out or came back since the last recheck
        self._warned: set[tuple[str, str]] = set()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def lease(self, request: LeaseRequest) -> Lease | Refusal | None:
        """Return the right to one call; None if the request waits."""
        now = self._clock()
        self._open_run(request.run_id, now)
        # Once `next_expiry` is due, waiting requests go first.
        overdue = bool(self._queue) and self._wake_at is not None and now >= self._wake_at
        return self._answer(self._evaluate(request, now, rank=not overdue), now)

    def preview(self, request: LeaseRequest) -> tuple[Candidate, ...]:
        """Rank the models as if every provider had a permit free."""
        return self._index.preview(request, self._clock())

    def withdraw(self, request_ids: Iterable[str]) -> tuple[Lease | Refusal, ...]:
        """Remove waiting requests; return answers to others."""
        for request_id in request_ids:
            self._queue.remove(request_id)
        return self._serve_waiting(self._clock())

    def drop_run(self, run_id: str) -> None:
        """Forget a run and its waiting requests; leases stay until settled."""
        self._queue.remove_run(run_id)
        self._runs.discard(run_id)
        self._unfunded_runs.discard(run_id)
        self.budgets.close_run(run_id)
        self._warned = {known for known in self._warned if known[1] != run_id}

    # ── answering ────────────────────────────────────────────────────────────────────────────────

    def settle(self, settlement: Settlement) -> Settled:
        """Take back a permit, learn, and serve waiting requests."""
        held = self._leases.get(settlement.attempt_id)
        if held is None or held.lease.token != settlement.token:
            return Settled(accepted=False)
        now = self._clock()
        warning = self._end_call(held, settlement, now)
        return Settled(accepted=True, grants=self._serve_waiting(now), warnings=(warning,) if warning else ())

    def expire(self) -> tuple[tuple[str, ...], Settled]:
        """Take back expired leases; return their attempt ids and answers to requests."""
        now = self._clock()
        # Leases are in the order of their grants, and all last equally long.
        expired = list(takewhile(lambda held: now >= held.began + held.lease.expires_s, self._leases.values()))
        for held in expired:
            lease = held.lease
            self._end_call(held, Settlement(attempt_id=lease.attempt_id, token=lease.token, status="lost"), now)
        attempt_ids = tuple(held.lease.attempt_id for held in expired)
        return attempt_ids, Settled(accepted=True, grants=self._serve_waiting(now))

    def next_expiry(self) -> float | None:
        """Return the seconds until `expire` is due, or None."""
        oldest = next(iter(self._leases.values()), None)
        due = [oldest.began + oldest.lease.expires_s] if oldest else []
        if self._queue and self._wake_at is not None:
            due.append(self._wake_at)
        return max(0.0, min(due) - self._clock()) if due else None

    # ── showing and tuning ───────────────────────────────────────────────────────────────────────

    def leases(self) -> tuple[Lease, ...]:
        """Return the unsettled leases, oldest first."""
        return tuple(held.lease for held in self._leases.values())

    def views(self) -> list[ModelView]:
        """Return every model with its live telemetry."""
        return model_views(self._registry, self._index.passed_through, self._accounts, self._router.live)

    def snapshot(self) -> PoolSnapshot:
        """Return the state of every provider."""
        waiting = Counter(model.partition("/")[0] for waiter in self._queue for model in waiter.models)
        return PoolSnapshot(providers=provider_views(self._accounts, self._clock(), waiting), waiting=len(self._queue))

    def warm_start(
        self,
        rows: Iterable[Mapping[str, Any]],
        kinds: Iterable[Mapping[str, Any]] = (),
        latest: Iterable[str] = (),
    ) -> None:
        """Load rows of `model_stats` and `model_kind_stats`, and the latest calls' models, oldest first."""
        self._router.load_call_stats(rows, self._index.card, latest)
        self._router.load_verdict_stats(kinds, self._index.card)

    def record_verdict(self, model: str, kind: Kind, *, passed: bool, score: float) -> None:
        """Record a verdict; its score, 0 to 1, counts only if passed."""
        card = self._index.card(model)
        if card is not None:
            self._router.record_verdict(kind, card, passed=passed, score=score)

    def set_limits(self, settings: Settings) -> tuple[Lease | Refusal, ...]:
        """Apply new limits; calls above a lower one run to their end."""
        now = self._clock()
        for account in self._accounts.values():
            account.configure(settings, now)
        self._index.invalidate()
        return self._serve_waiting(now)

    # ── one request: evaluate, then grant, wait or refuse ────────────────────────────────────────

    def _open_run(self, run_id: str, now: float) -> None:
        """Let a new run probe providers that are out, possibly fixed by now."""
        if run_id in self._runs:
            return
        self._runs.add(run_id)
        reopened = [account.allow_probe() for account in self._accounts.values()]
        self._index.invalidate()
        if any(reopened) and self._queue:
            self._providers_changed, self._wake_at = True, now

    def _evaluate(self, request: LeaseRequest, now: float, *, rank: bool = True) -> Evaluation:
        candidates = self._index.candidates(request, now)
        budget = self.budgets.check(request, candidates.cards)
        ranking = None
        if rank and self._in_flight[request.run_id] < request.run_limit and self._index.callable(now):
            ranking = self._index.rank(request, candidates, now, budget.exclusions if budget is not None else None)
        return Evaluation(request, candidates, budget, ranking)

    def _answer(self, evaluation: Evaluation, now: float) -> Lease | Refusal | None:
        best = evaluation.admitted
        if best is not None:
            return self._grant(evaluation, best, now)
        if evaluation.refused:
            return self._refuse(evaluation, now)
        if evaluation.needs_settlement:
            self._unfunded_runs.add(evaluation.request.run_id)
        self._queue.add(evaluation.waiter())
        times = [at for at in (self._wake_at, self._next_change(now)) if at is not None]
        self._wake_at = min(times, default=None)
        return None

    def _grant(self, evaluation: Evaluation, best: PricedModel, now: float) -> Lease:
        request, account, attempt_id = evaluation.request, self._accounts[best.provider], self._new_id()
        lease = Lease(
            request_id=request.request_id,
            run_id=request.run_id,
            attempt_id=attempt_id,
            provider=best.provider,
            model=best.name,
            token=next(self._tokens),
            expires_s=LEASE_S,
            reserved_usd=self.budgets.reserve(request, attempt_id, best.card),
            choice=evaluation.ranking,
        )
        rate_class = account.rate_class(best.card)
        cap = min(request.max_output_tokens, best.card.max_output)
        charge = initial_charge(account.admission, request, cap, rate_class.usual_output)
        account.rates.reserve(charge, now)
        rate_class.reserve(charge, now)
        self._leases[attempt_id] = _UnsettledLease(lease, now, account.acquire(), rate_class, charge)
        self._in_flight[request.run_id] += 1
        self._router.call_began(best)
        self._index.invalidate()
        return lease

    def _refuse(self, evaluation: Evaluation, now: float) -> Refusal:
        if evaluation.candidates.cards and evaluation.budget is not None:
            return self.budgets.refusal(evaluation.request, evaluation.budget)
        return self._index.refusal(evaluation.request, now)

    def _next_change(self, now: float) -> float | None:
        """Return when time alone allows another call, or None."""
        due = [account.resumes_at(now) for account in self._accounts.values()]
        due += [pause.until for pause in self._pauses.values() if pause.until > now]
        first = min(due, default=inf)
        return first if first < inf else None

    # ── the requests that wait ───────────────────────────────────────────────────────────────────

    def _serve_waiting(self, now: float) -> tuple[Lease | Refusal, ...]:
        answers: list[Lease | Refusal] = []
        if self._providers_changed or self._settled_runs:
            answers += self._recheck_waiting(now)
        while self._queue and (waiter := self._queue.next(self._index.callable(now), self._ready)) is not None:
            answer = self._answer(self._evaluate(waiter.request, now), now)
            if answer is not None:
                answers.append(answer)
        self._wake_at = self._next_change(now) if self._queue else None
        return tuple(answers)

    def _ready(self, waiter: Waiter) -> bool:
        request = waiter.request
        if waiter.needs_settlement or request.run_id in self._unfunded_runs:
            return False
        return self._in_flight[request.run_id] < request.run_limit

    def _recheck_waiting(self, now: float) -> list[Refusal]:
        changed, settled = self._providers_changed, self._settled_runs
        self._providers_changed, self._settled_runs = False, set()
        every_run = changed or self.budgets.by_day
        self._unfunded_runs = set() if every_run else self._unfunded_runs - settled
        refusals = []
        waiters = self._queue if every_run else [waiter for run_id in settled for waiter in self._queue.of_run(run_id)]
        for waiter in waiters:
            if not changed and (waiter.floor is None or self._still_payable(waiter, waiter.floor)):
                continue
            evaluation = self._evaluate(waiter.request, now, rank=False)
            if evaluation.refused:
                self._queue.remove(waiter.request.request_id)
                refusals.append(self._refuse(evaluation, now))
            else:
                self._queue.update(waiter, evaluation.waiter())
        for run_id in (None,) if every_run else settled:
            self._queue.recheck(run_id)
        return refusals

    def _still_payable(self, waiter: Waiter, floor: Quote) -> bool:
        """Update by the floor alone; return False if that is not enough."""
        payable = self.budgets.can_pay(waiter.request.run_id, floor)
        if payable is not None:
            self._queue.update(waiter, replace(waiter, models=waiter.eligible, needs_settlement=not payable))
        return payable is not None

    # ── the end of a call ────────────────────────────────────────────────────────────────────────

    def _end_call(self, held: _UnsettledLease, settlement: Settlement, now: float) -> Warned | None:
        """Settle a call; return a warning when its provider went out."""
        lease = held.lease
        account = self._accounts[lease.provider]
        before = (account.out, account.failure is None)
        # 1. The lease, the run's call in flight, and its money.
        del self._leases[lease.attempt_id]
        self._in_flight[lease.run_id] -= 1
        if not self._in_flight[lease.run_id]:
            del self._in_flight[lease.run_id]
        if self.budgets.settle(settlement):
            self._settled_runs.add(lease.run_id)
        self._queue.recheck(lease.run_id)
        # 2. The provider's limits per minute: the real figures replace the reserved ones.
        final = final_charge(account.admission, held.charge, settlement.usage)
        account.rates.correct(held.charge, final, now)
        held.rate_class.rates.correct(held.charge, final, now)
        # 3. Limiter, breaker and router learn before the permit is given back.
        # The limiter counts a reply before its permit is given back.
        self._learn(held, settlement, account, now)
        account.release(probe=held.probe)
        self._index.invalidate()
        self._providers_changed = self._providers_changed or (account.out, account.failure is None) != before
        if account.failure is None or account.failure != settlement.error:
            return None
        return self._warning(account, account.failure, lease.run_id)

    def _learn(self, held: _UnsettledLease, settlement: Settlement, account: Account, now: float) -> None:
        model = held.lease.model
        success: bool | None = None
        if settlement.status == "succeeded":
            success = True
            account.succeeded(now, probe=held.probe)
            held.rate_class.succeeded(settlement.usage, held.began)
            self._pauses.pop(model, None)
        elif settlement.status == "failed" and settlement.error is not None:
            policy = fault_policy(settlement.error.type)
            success = False if policy.counts_against_model else None
            account.failed(policy, settlement.error, now, held.began, settlement.retry_after_s)
            if policy.freeze or (settlement.retry_after_s is not None and policy.breaker != "out"):
                held.rate_class.pause(now, held.began, settlement.retry_after_s, account.limiter.limit)
            if policy.retry_same and not policy.freeze:
                self._pauses.setdefault(model, Backoff(base_s=0.25, cap_s=8.0)).extend(now, held.began)
        if settlement.rate is not None:
            held.rate_class.observe(settlement.rate, now, held.began)
        self._router.call_ended(
            model,
            success=success,
            seconds=settlement.seconds,
            cost_usd=settlement.cost_usd,
            usage=settlement.usage,
        )

    def _warning(self, account: Account, failure: ErrorInfo, run_id: str) -> Warned | None:
        """Return a warning once per run and provider."""
        if (account.name, run_id) in self._warned:
            return None
        self._warned.add((account.name, run_id))
        check = f"; check {account.settings.api_key_env}" if account.settings.api_key_env else ""
        request = f" (request {failure.request_id})" if failure.request_id else ""
        return Warned(code="provider_out", message=f"{account.name} is out: {failure.message}{request}{check}")
