"""Leases between pool, journal and runners."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ai3ray.domain.call import Attempt, ErrorInfo, Role, Usage
from ai3ray.domain.error_info import error_info
from ai3ray.domain.events import Decision, Event, TaskStart
from ai3ray.domain.lease import RUN_STOPPED, Lease, LeaseRequest, Refusal, Settlement
from ai3ray.errors import Ai3Error, IllegalTransition, UnknownRun
from ai3ray.journal.port import Journal, Receipt
from ai3ray.pool.pool import ProviderPool
from ai3ray.telemetry.observers import Observers


@dataclass
class _Mailbox:
    answers: list[tuple[Lease | Refusal, Receipt | None]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, answer: Lease | Refusal, receipt: Receipt | None = None) -> None:
        self.answers.append((answer, receipt))
        self.arrived.set()

    def put_back(self, answers: list[tuple[Lease | Refusal, Receipt | None]]) -> None:
        self.answers = answers + self.answers
        self.arrived.set()


@dataclass
class _OpenLease:
    runner_id: str
    lease: Lease
    request: LeaseRequest
    attempt: Attempt
    handed_over: bool = False


class LeaseDesk:
    """Journals every attempt before its lease is delivered."""

    def __init__(self, pool: ProviderPool, journal: Journal, observers: Observers) -> None:
        self._observers = observers
        self._pool = pool
        self._journal = journal
        self._requests: dict[str, tuple[str, LeaseRequest]] = {}
        self._open: dict[str, _OpenLease] = {}
        self._mail: dict[str, _Mailbox] = defaultdict(_Mailbox)
        self._counts: dict[str, Counter[tuple[str | None, str]]] = {}
        self._stopped: set[str] = set()
        self._dead: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def request(self, runner_id: str, request: LeaseRequest) -> None:
        """Request a lease; the mailbox gets the answer."""
        if runner_id in self._dead:
            return
        if request.run_id in self._stopped:
            self._deliver(runner_id, request, _stopped(request))
            return
        self._requests[request.request_id] = (runner_id, request)
        answer = self._pool.lease(request)
        if answer is not None:
            self._answer(answer)
        self._arm()

    def withdraw(self, request_ids: Iterable[str]) -> None:
        """Withdraw lease requests."""
        gone = tuple(request_ids)
        for request_id in gone:
            self._requests.pop(request_id, None)
        self._answer_all(self._pool.withdraw(gone))

    def settle(self, settlement: Settlement) -> None:
        """Settle a lease and journal its call's end; ignore an old token."""
        settled = self._pool.settle(settlement)
        if settled.accepted:
            entry = self._open.pop(settlement.attempt_id)
            self._journal_end(entry, settlement, settled.warnings)
        self._answer_all(settled.grants)

    def runner_lost(self, run_id: str, task_id: str | None) -> None:
        """Settle a dead runner's calls for a task as lost; withdraw requests."""
        self._settle_as_lost(lambda _, request: (request.run_id, request.task_id) == (run_id, task_id))

    def runner_died(self, runner_id: str) -> None:
        """Settle a dead runner's calls as lost; withdraw its requests."""
        self._dead.add(runner_id)  # its last requests may still arrive
        self._settle_as_lost(lambda owner, _: owner == runner_id)
        self._mail.pop(runner_id, _Mailbox()).arrived.set()

    def refuse(self, runner_id: str, request: LeaseRequest, error: Ai3Error) -> None:
        """Refuse without asking the pool."""
        refusal = Refusal(request_id=request.request_id, run_id=request.run_id, error=error_info(error))
        self._deliver(runner_id, request, refusal)

    def stop_run(self, run_id: str) -> None:
        """Refuse the run's requests, now and later."""
        self._stopped.add(run_id)
        for runner_id, request in self._withdraw_run(run_id):
            self._deliver(runner_id, request, _stopped(request))

    def drop_run(self, run_id: str) -> None:
        """Forget an ended run."""
        self._withdraw_run(run_id)
        self._pool.drop_run(run_id)
        self._stopped.discard(run_id)
        self._counts.pop(run_id, None)

    async def collect(self, runner_id: str, patience_s: float | None = None) -> tuple[Lease | Refusal, ...]:
        """Return the answers once their attempts are durable, or () after `patience_s`."""
        mail = self._mail[runner_id]
        answers, mail.answers = mail.answers, []
        mail.arrived.clear()
        try:
            async with asyncio.timeout(patience_s):
                for _, receipt in answers:
                    if receipt is not None:
                        await receipt.committed()
        except TimeoutError:
            mail.put_back(answers)
            return ()
        return tuple(answer for answer, _ in answers if self._hand_over(answer))

    async def wait(self, runner_id: str) -> tuple[Lease | Refusal, ...]:
        """Wait for an answer, then collect all."""
        await self._mail[runner_id].arrived.wait()
        return await self.collect(runner_id)

    def aclose(self) -> None:
        """Stop the expiry timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _hand_over(self, answer: Lease | Refusal) -> bool:
        """Return whether the answer is still valid: a lease may expire before it is durable."""
        if isinstance(answer, Refusal):
            return True
        if answer.run_id in self._stopped:
            self.settle(Settlement(attempt_id=answer.attempt_id, token=answer.token, status="cancelled"))
        entry = self._open.get(answer.attempt_id)
        if entry is not None:
            entry.handed_over = True
        return entry is not None

    def _withdraw_run(self, run_id: str) -> Sequence[tuple[str, LeaseRequest]]:
        gone = [(runner_id, request) for runner_id, request in self._requests.values() if request.run_id == run_id]
        self.withdraw(request.request_id for _, request in gone)
        return gone

    def _settle_as_lost(self, concerned: Callable[[str, LeaseRequest], bool]) -> None:
        self.withdraw([request_id for request_id, request in self._requests.items() if concerned(*request)])
        for entry in [entry for entry in self._open.values() if concerned(entry.runner_id, entry.request)]:
            self.settle(
                Settlement(
                    attempt_id=entry.lease.attempt_id,
                    token=entry.lease.token,
                    status="lost",
                    error=ErrorInfo(type="runner_lost", message="the runner died during the call"),
                    maybe_paid=True,
                )
            )

    def _answer_all(self, grants: Iterable[Lease | Refusal]) -> None:
        for grant in grants:
            self._answer(grant)
        self._arm()

    def _answer(self, answer: Lease | Refusal) -> None:
        runner_id, request = self._requests.pop(answer.request_id)
        if isinstance(answer, Refusal):
            self._deliver(runner_id, request, answer)
            return
        try:
            receipt = self._journal_start(runner_id, answer, request)
        except (IllegalTransition, UnknownRun) as error:  # the run has ended
            self._counts.pop(answer.run_id, None)
            refusal = Refusal(request_id=answer.request_id, run_id=answer.run_id, error=error_info(error))
            self._deliver(runner_id, request, refusal)
            cancelled = Settlement(attempt_id=answer.attempt_id, token=answer.token, status="cancelled")
            self._answer_all(self._pool.settle(cancelled).grants)
            return
        self._deliver(runner_id, request, answer, receipt)

    def _deliver(
        self, runner_id: str, request: LeaseRequest, answer: Lease | Refusal, receipt: Receipt | None = None
    ) -> None:
        self._observers.lease_answered(request, answer)
        self._mail[runner_id].add(answer, receipt)

    def _journal_start(self, runner_id: str, lease: Lease, request: LeaseRequest) -> Receipt:
        series = _series(request.task_id, request.role)
        if request.run_id not in self._counts:  # the first call since the start or a resume
            calls = self._journal.state(request.run_id).attempts.values()
            self._counts[request.run_id] = Counter(_series(call.task_id, call.role) for call in calls)
        counts = self._counts[request.run_id]
        attempt = Attempt(
            run_id=request.run_id,
            task_id=request.task_id,
            attempt_id=lease.attempt_id,
            role=request.role,
            n=counts[series] + 1,
            provider=lease.provider,
            model=lease.model,
            status="started",
            started_at=self._journal.now(request.run_id),
        )
        events: list[Event] = [
            Decision(
                task_id=request.task_id,
                attempt_id=lease.attempt_id,
                role=request.role,
                model=lease.model,
                provider=lease.provider,
                candidates=lease.candidates,
                reserved_usd=lease.reserved_usd,
            )
        ]
        if request.role in {"task", "repair"}:
            events.append(TaskStart(task_id=request.task_id, attempt_id=lease.attempt_id, model=lease.model))
        receipt = self._journal.put(request.run_id, events, [attempt])
        counts[series] += 1
        self._open[lease.attempt_id] = _OpenLease(runner_id=runner_id, lease=lease, request=request, attempt=attempt)
        return receipt

    def _journal_end(self, entry: _OpenLease, settlement: Settlement, warnings: Iterable[Event]) -> None:
        usage = settlement.usage or Usage()
        ended = entry.attempt.model_copy(
            update={
                "status": settlement.status,
                "error_type": settlement.error.type if settlement.error else None,
                "request_id": settlement.request_id,
                "input_tokens": usage.input_tokens,
                "cached_tokens": usage.cached_tokens,
                "output_tokens": usage.output_tokens,
                "usage_estimated": usage.estimated,
                "cost_usd": settlement.cost_usd,
                "first_token_s": settlement.first_token_s,
                "seconds": settlement.seconds,
                "maybe_paid": settlement.maybe_paid,
            }
        )
        run_id = entry.request.run_id
        try:
            self._journal.put(run_id, tuple(warnings), [ended])
        except IllegalTransition:  # the run has ended: too late for warnings, but not for the bill
            self._journal.put(run_id, (), [ended])

    def _arm(self) -> None:
        """Set the timer for the pool's next expiry."""
        seconds = self._pool.next_expiry()
        if seconds is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None:
            if self._due <= due:
                return  # an extra wake-up costs less than a new timer per lease
            self._timer.cancel()
        self._timer, self._due = loop.call_later(seconds, self._expire), due

    def _expire(self) -> None:
        self._timer = None
        expired, settled = self._pool.expire()
        for attempt_id in expired:
            entry = self._open.pop(attempt_id, None)
            if entry is None:
                continue
            late = ErrorInfo(type="lease_expired", message="the lease ran out before the call was settled")
            end = Settlement(
                attempt_id=entry.lease.attempt_id,
                token=entry.lease.token,
                status="lost" if entry.handed_over else "cancelled",
                error=late if entry.handed_over else None,
                maybe_paid=entry.handed_over,
            )
            self._journal_end(entry, end, ())
            if not entry.handed_over:  # its attempt did not reach the disk in time
                self.request(entry.runner_id, entry.request)
        self._answer_all(settled.grants)


def _stopped(request: LeaseRequest) -> Refusal:
    error = ErrorInfo(type=RUN_STOPPED, message="the run is being stopped")
    return Refusal(request_id=request.request_id, run_id=request.run_id, error=error)


def _series(task_id: str | None, role: Role) -> tuple[str | None, str]:
    """Return the series that numbers a call."""
    return task_id, "task" if role == "repair" else role
