"""A world in virtual time: a vendor's limits, calls that take their time, and clients that never run out of work."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from pathlib import Path
from random import Random
from typing import Protocol

from ai3ray.domain.call import ErrorInfo, RateHeaders, Usage
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settlement
from ai3ray.pool.pool import ProviderPool
from ai3ray.providers.rates import rate_headers
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import ProviderSettings, Settings
from ai3ray.simulator.limits.limit_settings import Limits
from ai3ray.simulator.limits.vendor_limits import AdmittedCall, Rejection, TokensSpent, VendorLimits
from ai3ray.simulator.vendors import VendorName

CAP = 1024
"""Tokens that an answer may have."""
LATENCY_S = (0.020, 0.025)
"""A request is this long under way, and so is its reply."""


class Clock:
    """What happens, in the order of its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Let something happen, now at the earliest."""
        heapq.heappush(self._due, (max(when, self.now), next(self._numbers), action))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._due and self._due[0][0] <= until:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = until


@dataclass(frozen=True)
class Work:
    """What one call is going to take."""

    input_tokens: int
    output_tokens: int
    guess: int
    seconds: float


def works(seed: int, *, input_tokens: float, output_tokens: float, per_s: float) -> Iterator[Work]:
    """Calls of log-normal length; their input is known to within a tenth."""
    random = Random(seed)
    while True:
        read = max(1, round(random.lognormvariate(0, 0.4) * input_tokens / 1.083))
        written = min(CAP, max(1, round(random.lognormvariate(0, 0.4) * output_tokens / 1.083)))
        yield Work(read, written, round(read * random.uniform(0.9, 1.1)), 0.5 + written / per_s)


@dataclass(frozen=True)
class Reply:
    """What comes back."""

    refused: Rejection | None
    headers: dict[str, str]


@dataclass
class Vendor:
    """One account at a vendor, and what was seen of it from the vendor's side."""

    clock: Clock
    name: VendorName
    limits: Limits
    seed: int
    admitted: list[tuple[float, Work]] = field(default_factory=list)
    refused: list[tuple[float, float]] = field(default_factory=list)
    """When, and how long it told to wait."""

    def __post_init__(self) -> None:
        self.account = VendorLimits(self.name, self.limits)
        self._random = Random(self.seed)
        self._busy: list[tuple[float, int]] = [(0.0, 0)]

    def send(self, work: Work, then: Callable[[Reply], None]) -> None:
        """Make a call; `then` gets the reply when it has come back."""
        self.clock.at(self.clock.now + self._latency(), lambda: self._arrive(work, then))

    def change(self, limits: Limits) -> None:
        """Other limits from now on."""
        self.limits = limits
        self.account.change(self.clock.now, limits)

    def in_flight(self, start: float, end: float) -> float:
        """Mean of the calls in flight over a time."""
        steps = [(max(at, start), busy) for at, busy in self._busy if at < end]
        ends = [*(at for at, _ in steps[1:]), end]
        return sum(busy * max(0.0, till - at) for (at, busy), till in zip(steps, ends, strict=True)) / (end - start)

    def used(self, start: float, end: float) -> dict[str, float]:
        """Share of each allowance that was used over a time."""
        minutes = (end - start) / 60
        works = [work for at, work in self.admitted if start <= at < end]
        read, written = sum(w.input_tokens for w in works), sum(w.output_tokens for w in works)
        tokens = sum(max(CAP, w.input_tokens) for w in works) if self.name == "openai" else read + written
        limits = self.limits
        shares = {
            "rpm": len(works) / minutes / limits.rpm,
            "tpm": tokens / minutes / limits.tpm,
            "concurrency": self.in_flight(start, end) / limits.concurrency,
        }
        if limits.itpm is not None:
            shares["itpm"] = read / minutes / limits.itpm
        if limits.otpm is not None:
            shares["otpm"] = written / minutes / limits.otpm
        return shares

    def _arrive(self, work: Work, then: Callable[[Reply], None]) -> None:
        now = self.clock.now
        call = AdmittedCall(work.input_tokens, CAP)
        refused = self.account.admit(now, call)
        if refused is not None:
            self.refused.append((now, refused.retry_after or 0.0))
            self._reply(then, Reply(refused, self._headers()))
            return
        self.admitted.append((now, work))
        self._busy.append((now, self.account.in_flight))
        told = self._headers() if self._random.random() < 0.5 else None  # a stream's headers come at its start
        half = work.output_tokens // 2
        self.clock.at(now + work.seconds / 2, lambda: self.account.record_output(self.clock.now, call, half))
        self.clock.at(now + work.seconds, lambda: self._finish(call, work, told, then))

    def _finish(
        self, call: AdmittedCall, work: Work, told: dict[str, str] | None, then: Callable[[Reply], None]
    ) -> None:
        now = self.clock.now
        self.account.finish(now, call, TokensSpent(work.input_tokens, output_tokens=work.output_tokens))
        self._busy.append((now, self.account.in_flight))
        self._reply(then, Reply(None, told or self._headers()))

    def _reply(self, then: Callable[[Reply], None], reply: Reply) -> None:
        self.clock.at(self.clock.now + self._latency(), lambda: then(reply))

    def _headers(self) -> dict[str, str]:
        now = self.clock.now
        return {**self.account.headers(now), "date": formatdate(now, usegmt=True)}

    def _latency(self) -> float:
        return self._random.uniform(*LATENCY_S)


class Client(Protocol):
    """Makes calls, as many as are open."""

    def open(self, work: Work, done: Callable[[], None]) -> None:
        """Get this done, however often it has to be tried; `done` is told."""
        ...


class PoolClient:
    """Asks the provider pool, as runners do."""

    def __init__(self, clock: Clock, vendor: Vendor, settings: Settings, provider: str) -> None:
        self._clock = clock
        self._vendor = vendor
        numbers = count()
        self.pool = ProviderPool(
            Registry.load(settings),
            settings,
            (provider,),
            clock=lambda: clock.now,
            new_id=lambda: f"a{next(numbers)}",
            jitter=Random(7).random,
        )
        self._numbers = count()
        self._open: dict[str, tuple[Work, Callable[[], None]]] = {}
        self._alarm: float | None = None

    def open(self, work: Work, done: Callable[[], None]) -> None:
        """See Client."""
        number = next(self._numbers)
        request = LeaseRequest(
            request_id=f"w{number}",
            run_id=f"r{number % 8}",
            run_limit=100_000,
            input_tokens=work.guess,
            max_output_tokens=CAP,
        )
        self._open[request.request_id] = (work, done)
        answer = self.pool.lease(request)
        self._take(() if answer is None else (answer,))

    def _take(self, answers: tuple[Lease | Refusal, ...]) -> None:
        for answer in answers:
            assert isinstance(answer, Lease), answer
            work, done = self._open.pop(answer.request_id)
            began = self._clock.now
            self._vendor.send(work, lambda reply, a=answer, w=work, d=done, b=began: self._back(a, w, d, b, reply))
        self._arm()

    def _back(self, lease: Lease, work: Work, done: Callable[[], None], began: float, reply: Reply) -> None:
        refused = reply.refused
        settlement = Settlement(
            attempt_id=lease.attempt_id,
            token=lease.token,
            status="succeeded" if refused is None else "failed",
            error=None if refused is None else ErrorInfo(type="rate_limited", message=refused.message),
            retry_after_s=None if refused is None else refused.retry_after,
            usage=Usage() if refused else Usage(input_tokens=work.input_tokens, output_tokens=work.output_tokens),
            seconds=self._clock.now - began,
            rate=_told(reply),
        )
        self._take(self.pool.settle(settlement).grants)
        if refused is None:
            done()
        else:
            self.open(work, done)

    def _arm(self) -> None:
        due = self.pool.next_expiry()
        when = None if due is None else self._clock.now + due
        if when is not None and (self._alarm is None or when < self._alarm or self._alarm <= self._clock.now):
            self._alarm = when
            self._clock.at(when, lambda: self._ring(when))

    def _ring(self, when: float) -> None:
        if self._alarm == when:
            self._alarm = None
            self._take(self.pool.expire()[1].grants)


class Rules(Protocol):
    """How many calls may be in flight."""

    limit: int

    def clean(self, now: float, busy: int) -> None:
        """A call was answered that had not been refused before."""
        ...

    def limited(self, now: float, retry_after: float | None) -> None:
        """A call was refused."""
        ...


class PermitClient:
    """Holds a permit from the first try of a call to its answer, and waits between tries as it is told."""

    def __init__(self, clock: Clock, vendor: Vendor, rules: Rules) -> None:
        self._clock = clock
        self._vendor = vendor
        self._rules = rules
        self._busy = 0
        self._waiting: deque[tuple[Work, Callable[[], None]]] = deque()
        self._random = Random(11)

    def open(self, work: Work, done: Callable[[], None]) -> None:
        """See Client."""
        self._waiting.append((work, done))
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        while self._waiting and self._busy < self._rules.limit:
            self._busy += 1
            self._try(*self._waiting.popleft(), 0)

    def _try(self, work: Work, done: Callable[[], None], tries: int) -> None:
        self._vendor.send(work, lambda reply: self._back(work, done, tries, reply))

    def _back(self, work: Work, done: Callable[[], None], tries: int, reply: Reply) -> None:
        now = self._clock.now
        if reply.refused is not None:
            self._rules.limited(now, reply.refused.retry_after)
            pause = max(reply.refused.retry_after or 0.0, min(30.0, 0.5 * 2**tries) * self._random.uniform(0.75, 1))
            self._clock.at(now + pause, lambda: self._try(work, done, tries + 1))
            return
        if not tries:
            self._rules.clean(now, self._busy)
        self._busy -= 1
        done()
        self._serve_waiting()


@dataclass
class FixedRules:
    """A static semaphore."""

    limit: int

    def clean(self, now: float, busy: int) -> None:
        """Nothing follows."""

    def limited(self, now: float, retry_after: float | None) -> None:
        """Nothing follows."""


class InspectRules:
    """The rules of inspect_ai's adaptive connections (`util/_concurrency.py`), by themselves.

    Slow start: the limit doubles per round of as many unrefused answers as it allows calls, at least 4, in which four
    fifths of it were in use. A refusal cuts it to four fifths, rounded down to a multiple of five above ten, once per
    15 seconds or the time that was asked for; then a round adds a twentieth, rounded up likewise. While it cools down,
    answers count for nothing.
    """

    def __init__(self, ceiling: int) -> None:
        self._least, self._most = min(10, ceiling), ceiling
        self.limit = min(20, ceiling)
        self._answers = self._peak = 0
        self._refused = False
        self._cool = 0.0

    def clean(self, now: float, busy: int) -> None:
        """See Rules."""
        self._peak = max(self._peak, busy)
        if now < self._cool:
            return
        self._answers += 1
        if self._answers < max(4, self.limit):
            return
        saturated = self._peak >= 0.8 * self.limit
        self._answers = self._peak = 0
        if saturated:
            more = _fives_up(self.limit + max(1, round(self.limit * 0.05))) if self._refused else self.limit * 2
            self.limit = min(self._most, more)

    def limited(self, now: float, retry_after: float | None) -> None:
        """See Rules."""
        self._answers = self._peak = 0
        self._refused = True
        if now >= self._cool:
            self.limit = max(self._least, _fives_down(int(self.limit * 0.8)))
            self._cool = now + 15.0
        self._cool = max(self._cool, now + (retry_after or 0.0))


def _fives_up(value: int) -> int:
    return value if value < 10 else -(-value // 5) * 5


def _fives_down(value: int) -> int:
    return max(1, value) if value < 10 else value // 5 * 5


def settings_of(provider: VendorName, **table: int | None) -> Settings:
    """One provider with one model."""
    wire = "anthropic" if provider == "anthropic" else "openai"
    return Settings(
        home=Path("/nowhere"),
        providers={provider: ProviderSettings(wire=wire, base_url="http://x", **table)},
        models={
            "models": {"m": {"provider": provider, "id": "m"}},
            "prices": {"m": {"input": 1.0, "output": 2.0}},
        },
        router={"presets": {"balanced": {"success": 1.0}}},
    )


def keep_busy(clock: Clock, client: Client, supply: Iterator[Work], most: int, ramp_s: float) -> Counter[str]:
    """As many open pieces of work as `most`, reached evenly over the ramp; each is followed by the next."""
    done: Counter[str] = Counter()

    def go_on() -> None:
        done["calls"] += 1
        begin()

    def begin() -> None:
        client.open(next(supply), go_on)

    for number in range(most):
        clock.at(ramp_s * number / most, begin)
    return done


def _told(reply: Reply) -> RateHeaders | None:
    return rate_headers(reply.headers)
