"""Whatever happens in whatever order: limits hold, permits come back, nobody is forgotten."""

from collections import Counter

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settlement
from ai3ray.pool.faults import FAULTS
from ai3ray.pool.pool import LEASE_S, ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import ProviderSettings, Settings

LIMITS = {"a": 1, "b": 2, "c": 3}
RUN_LIMITS = {"r1": 1, "r2": 2, "r3": 5}
MODELS = tuple(f"{provider}/m{n}" for provider in LIMITS for n in (1, 2))
SETTINGS = Settings(
    providers={name: ProviderSettings(base_url="http://x", max_concurrency=limit) for name, limit in LIMITS.items()},
    models={
        "models": {name: {"provider": name[0], "id": name[2:]} for name in MODELS},
        "prices": {name: {"input": 1.0, "output": 1.0} for name in MODELS},
    },
    router={"presets": {"balanced": {"success": 0.5, "load": 0.5}}},
)


class PoolMachine(RuleBasedStateMachine):
    """Mirrors the pool from what it answers, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.made = 0
        self.pool = ProviderPool(
            Registry.load(SETTINGS), SETTINGS, tuple(LIMITS), clock=lambda: self.now, new_id=self.new_id
        )
        self.requests = 0
        self.waiting: dict[str, LeaseRequest] = {}
        self.held: dict[str, Lease] = {}
        self.ended: list[Lease] = []

    def new_id(self) -> str:
        self.made += 1
        return f"att_{self.made}"

    def answered(self, answers: tuple[Lease | Refusal, ...]) -> None:
        for answer in answers:
            assert answer.request_id in self.waiting, "answered twice, or after it was withdrawn"
            del self.waiting[answer.request_id]
            if isinstance(answer, Lease):
                self.held[answer.attempt_id] = answer

    @rule(
        run=st.sampled_from(sorted(RUN_LIMITS)),
        batch=st.booleans(),
        models=st.sets(st.sampled_from(MODELS), max_size=2),
        exclude=st.sets(st.sampled_from(MODELS), max_size=2),
    )
    def request(self, run: str, batch: bool, models: set[str], exclude: set[str]) -> None:
        self.requests += 1
        request = LeaseRequest(
            request_id=f"w{self.requests}",
            run_id=run,
            run_limit=RUN_LIMITS[run],
            run_class="batch" if batch else "interactive",
            models=tuple(sorted(models)),
            exclude=tuple(sorted(exclude)),
        )
        self.waiting[request.request_id] = request
        answer = self.pool.lease(request)
        if answer is not None:
            self.answered((answer,))
        if isinstance(answer, Lease):
            assert answer.model not in exclude
            assert not models or answer.model in models

    @precondition(lambda self: self.held)
    @rule(data=st.data(), status=st.sampled_from(["succeeded", "failed", "cancelled", "lost"]))
    def settle(self, data: st.DataObject, status: str) -> None:
        lease = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        error, retry_after = None, None
        if status == "failed":
            error = ErrorInfo(type=data.draw(st.sampled_from(sorted(FAULTS))), message="no")
            retry_after = data.draw(st.sampled_from([None, 0.0, 3.0]))
        settlement = Settlement(
            attempt_id=lease.attempt_id, token=lease.token, status=status, error=error, retry_after_s=retry_after
        )
        settled = self.pool.settle(settlement)
        assert settled.accepted
        self.ended.append(lease)
        self.answered(settled.grants)

    @precondition(lambda self: self.held)
    @rule(kind=st.sampled_from(["connect_failed", "key_refused", "rate_limited"]))
    def everything_fails(self, kind: str) -> None:
        for attempt_id in sorted(self.held):
            lease = self.held.pop(attempt_id)
            error = ErrorInfo(type=kind, message="no")
            failed = Settlement(attempt_id=attempt_id, token=lease.token, status="failed", error=error)
            self.answered(self.pool.settle(failed).grants)

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def settle_late(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.ended))
        late = Settlement(attempt_id=lease.attempt_id, token=lease.token, status="succeeded")
        assert not self.pool.settle(late).accepted

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        request_id = data.draw(st.sampled_from(sorted(self.waiting)))
        del self.waiting[request_id]
        self.answered(self.pool.withdraw([request_id]))

    @rule(run=st.sampled_from(sorted(RUN_LIMITS)))
    def drop_run(self, run: str) -> None:
        self.waiting = {key: request for key, request in self.waiting.items() if request.run_id != run}
        self.pool.drop_run(run)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.pool.next_expiry()) is not None and self.now + due <= end:
            self.now += due
            expired, settled = self.pool.expire()
            for attempt_id in expired:
                self.ended.append(self.held.pop(attempt_id))
            self.answered(settled.grants)
        self.now = end

    @invariant()
    def no_limit_is_exceeded(self) -> None:
        providers = Counter(lease.provider for lease in self.held.values())
        runs = Counter(lease.run_id for lease in self.held.values())
        assert all(providers[name] <= limit for name, limit in LIMITS.items())
        assert all(runs[name] <= limit for name, limit in RUN_LIMITS.items())

    @invariant()
    def the_pool_counts_what_is_really_out(self) -> None:
        assert {lease.attempt_id for lease in self.pool.leases()} == self.held.keys()
        counted = {view.provider: view.in_flight for view in self.pool.snapshot().providers}
        assert counted == {name: sum(lease.provider == name for lease in self.held.values()) for name in LIMITS}
        assert self.pool.snapshot().waiting == len(self.waiting)

    @invariant()
    def nobody_waits_beside_a_free_permit(self) -> None:
        """Unless its run is at its limit, every model that could answer is busy, paused or being probed."""
        if self.pool.next_expiry() == 0.0:
            return  # the host is about to serve them
        free = self.pool._index.callable(self.now)
        runs = Counter(lease.run_id for lease in self.held.values())
        for request in self.waiting.values():
            if runs[request.run_id] < request.run_limit:
                usable = {candidate.model for candidate in self.pool.preview(request) if candidate.excluded is None}
                assert usable.isdisjoint(free)

    def teardown(self) -> None:
        """When all calls succeed and time passes, everybody is answered and every permit is back."""
        for _ in range(200):
            while self.held:
                _, lease = self.held.popitem()
                done = Settlement(attempt_id=lease.attempt_id, token=lease.token, status="succeeded")
                self.answered(self.pool.settle(done).grants)
            if not self.waiting:
                break
            self.advance(100.0)
        assert not self.waiting
        assert all(view.in_flight == 0 for view in self.pool.snapshot().providers)


PoolMachine.TestCase.settings = hypothesis_settings(max_examples=100, stateful_step_count=50, deadline=None)
test_the_pool_keeps_its_promises = PoolMachine.TestCase
