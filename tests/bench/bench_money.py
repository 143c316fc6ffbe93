"""Budgets under load: `python -m tests.bench.bench_money [--calls N] [--tasks N] [--seed N] [--check]`.

First the pool alone, in virtual time: so many calls at once on a cap that pays for a part of them. What each call
really costs is drawn before, for each model, and the pool's answers are replayed against it:

- over: what was spent above the cap. It may be one reservation, the most that one of the calls could have cost.
- false blocks: calls that were refused although the cheapest model's real bill for them was no more than the cap
  less what was spent by then, calls in flight taken as free. Unknown bills count at their reservation.
- idle waits: moments at which somebody waited and nothing was in flight.

Then the engine, in this process, against the provider simulator, whose ledger says what was billed.
Synthetic data from a seed. With --check the exit code is 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ai3ray.client.client import Client
from ai3ray.connect import connect
from ai3ray.domain.call import ErrorInfo, Usage
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settlement
from ai3ray.domain.request import RunRequest
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from ai3ray.settings.model import ProviderSettings, Settings
from ai3ray.simulator import Simulator, SimulatorSettings, running_in_thread

PRICES = {"a/large": (4.0, 20.0), "a/small": (0.1, 0.5), "b/middle": (2.0, 10.0), "c/middle": (2.0, 6.0)}
"""US dollars per million tokens, input and output."""
CAP_TOKENS = 4096
CENT = 0.01
TINY = 1e-9


@dataclass(frozen=True)
class Form:
    """One shape of load."""

    name: str
    """What it is called."""
    calls: int
    """Calls that are wanted, all at once."""
    runs: int = 1
    """Runs that they belong to, in turn."""
    share: float = 0.3
    """The cap, as a share of what all calls cost on the model that a run without a budget takes."""
    by_day: bool = False
    """The cap is the day's, not the run's."""
    models: tuple[str, ...] = ()
    """The only models, if it names any."""
    faults: float = 0.06
    """Share of calls that fail; half of them may have been billed, and nobody knows how much."""
    longer: bool = False
    """The later half of the calls has answers as long as their cap, which nobody could know."""


@dataclass
class Outcome:
    """What came of one form."""

    name: str
    calls: int
    cap: float = 0.0
    spent: float = 0.0
    reservation: float = 0.0
    """The most that one of the calls could have cost."""
    begun: int = 0
    refused: int = 0
    unanswered: int = 0
    false_blocks: int = 0
    idle_waits: int = 0
    seconds: float = 0.0

    @property
    def over(self) -> float:
        return max(0.0, self.spent - self.cap)

    @property
    def good(self) -> bool:
        kept = self.over <= self.reservation + TINY
        return kept and not (self.false_blocks or self.idle_waits or self.unanswered)


@dataclass(frozen=True)
class Truth:
    """What one request really costs and does, whoever it goes to."""

    request: LeaseRequest
    output: dict[str, int]
    """Tokens of each model's answer."""
    seconds: float
    fault: str | None

    def bill(self, registry: Registry, model: str) -> float:
        provider, _, name = model.partition("/")
        usage = Usage(input_tokens=self.request.input_tokens, output_tokens=self.output[model])
        cost = registry.prices.cost(provider, name, usage)
        assert cost is not None
        return cost


def truths(form: Form, seed: int, budget: float | None) -> Iterator[Truth]:
    """The same calls for the same seed."""
    rng = random.Random(f"{seed}:{form.calls}")
    for n in range(form.calls):
        request = LeaseRequest(
            request_id=f"w{n}",
            run_id=f"r{n % form.runs}",
            models=form.models,
            input_tokens=rng.randint(100, 4000),
            max_output_tokens=CAP_TOKENS,
            run_limit=form.calls,
            budget_usd=budget,
        )
        output = {name: min(CAP_TOKENS, max(1, int(rng.lognormvariate(5.7, 0.9)))) for name in PRICES}
        if form.longer and n >= form.calls // 2:
            output = dict.fromkeys(PRICES, CAP_TOKENS)
        chance = rng.random()
        fault = "stream_cut" if chance < form.faults / 2 else "server_fault" if chance < form.faults else None
        yield Truth(request, output, rng.lognormvariate(1.0, 0.6), fault)


@dataclass
class Table:
    """The pool in virtual time, and who has what."""

    form: Form
    seed: int
    cap: float | None = None
    now: float = 0.0
    pending: list[tuple[float, int, Lease]] = field(default_factory=list)

    def __post_init__(self) -> None:
        by_day = self.cap if self.form.by_day else None
        providers = {name[0]: ProviderSettings(base_url="http://x", max_concurrency=100_000) for name in PRICES}
        settings = Settings(
            home=Path("/nowhere"),
            providers=providers,
            models={
                "models": {
                    name: {"provider": name[0], "id": name[2:], "quality": 0.7 + cost[0] / 20}
                    for name, cost in PRICES.items()
                },
                "prices": {name: {"input": cost[0], "output": cost[1]} for name, cost in PRICES.items()},
            },
            router={"presets": {"balanced": {"quality": 0.5, "success": 0.5}}},
            budget_day_usd=by_day,
        )
        self.registry = Registry.load(settings)
        ids, self.order = count(), count()
        self.pool = ProviderPool(
            self.registry, settings, tuple(providers), clock=lambda: self.now, new_id=lambda: f"att{next(ids)}"
        )
        own = None if self.form.by_day else self.cap
        self.truths = {truth.request.request_id: truth for truth in truths(self.form, self.seed, own)}

    def play(self) -> Outcome:
        """All calls to their end, with what was right and wrong about every answer."""
        result = Outcome(self.form.name, self.form.calls, self.cap or float("inf"))
        began, counted = time.perf_counter(), 0.0
        waiting = set(self.truths)
        for truth in self.truths.values():
            answer = self.pool.lease(truth.request)
            if answer is not None:
                self.answered(answer, waiting, counted, result)
        while self.pending or waiting:
            due = self.pool.next_expiry()
            if due is not None and (not self.pending or self.now + due < self.pending[0][0]):
                self.now += due  # somebody waits for time to pass, such as for a model that failed
                for answer in self.pool.expire()[1].grants:
                    self.answered(answer, waiting, counted, result)
                continue
            if not self.pending:
                result.idle_waits += 1
                break
            self.now, _, lease = heapq.heappop(self.pending)
            settlement, billed, known = self.ended(lease)
            result.spent += billed
            counted += billed if known else lease.reserved_usd or 0.0
            for answer in self.pool.settle(settlement).grants:
                self.answered(answer, waiting, counted, result)
        result.unanswered, result.seconds = len(waiting), time.perf_counter() - began
        return result

    def answered(self, answer: Lease | Refusal, waiting: set[str], counted: float, result: Outcome) -> None:
        waiting.remove(answer.request_id)
        truth = self.truths[answer.request_id]
        if isinstance(answer, Lease):
            result.begun += 1
            result.reservation = max(result.reservation, answer.reserved_usd or 0.0)
            heapq.heappush(self.pending, (self.now + truth.seconds, next(self.order), answer))
            return
        assert answer.error.type == "budget", answer.error
        result.refused += 1
        least = min(truth.bill(self.registry, name) for name in self.form.models or PRICES)
        result.false_blocks += least <= result.cap - counted

    def ended(self, lease: Lease) -> tuple[Settlement, float, bool]:
        """How a call ends, what it was billed, and whether anybody knows."""
        truth = self.truths[lease.request_id]
        usage = Usage(input_tokens=truth.request.input_tokens, output_tokens=truth.output[lease.model])
        bill = truth.bill(self.registry, lease.model)
        common: dict[str, Any] = {"attempt_id": lease.attempt_id, "token": lease.token, "seconds": truth.seconds}
        if truth.fault is None:
            return Settlement(status="succeeded", usage=usage, cost_usd=bill, **common), bill, True
        cut = truth.fault == "stream_cut"
        error = ErrorInfo(type="stream_cut", message="cut")
        failed = Settlement(status="failed", error=error, maybe_paid=cut, **common)
        return failed, bill * 0.5 if cut else 0.0, not cut


def play(form: Form, seed: int) -> Outcome:
    """One form: first without a budget, which tells what a share of its cost is."""
    free = Table(form, seed).play()
    return Table(form, seed, cap=free.spent * form.share).play()


def forms(calls: int) -> list[Form]:
    """The shapes that budgets have to stand."""
    return [
        Form("one run, any model", calls),
        Form("one run, one model", calls, models=("b/middle",)),
        Form("just enough", calls, models=("b/middle",), share=1.0, faults=0.0),
        Form("next to nothing", calls, models=("a/large",), share=0.002),
        Form("longer and longer", calls, models=("b/middle",), share=0.5, faults=0.0, longer=True),
        Form("a day of many runs", calls, runs=max(1, calls // 25), by_day=True),
    ]


@dataclass
class Billed:
    """What came of a run of the engine."""

    tasks: int
    status: str = ""
    error: str = ""
    cap: float = 0.0
    journal: float = 0.0
    """Sum of the journal's attempts that were answered."""
    broken: float = 0.0
    """Sum of those that broke off, as far as their answers came."""
    ledger: float = 0.0
    """What the simulator billed for complete answers."""
    unfinished: float = 0.0
    """What it billed for answers that broke off."""
    reservation: float = 0.0
    calls: int = 0
    answered: int = 0
    refused: int = 0
    false_blocks: int = 0
    seconds: float = 0.0

    @property
    def over(self) -> float:
        return max(0.0, self.ledger + self.unfinished - self.cap)

    @property
    def good(self) -> bool:
        books = abs(self.journal - self.ledger) < CENT / 100
        stopped = (self.status, self.error) == ("failed", "budget") and self.refused > 0
        return books and stopped and self.over <= self.reservation and not self.false_blocks


SPENT = """
SELECT coalesce(sum(cost_usd) FILTER (status = 'succeeded'), 0.0),
       coalesce(sum(cost_usd) FILTER (status <> 'succeeded'), 0.0), count(*)
FROM attempts WHERE run_id = '{run}'
"""
RESERVED = """
SELECT max((body ->> '$.reserved_usd')::DOUBLE) FROM events WHERE run_id = '{run}' AND type = 'decision'
"""
# A refused task, and what was settled by then: the cheapest call of a task that was made stands in for its own.
FALSE_BLOCKS = """
WITH calls AS (
    SELECT attempts.role, started_at + to_milliseconds((1000 * seconds)::BIGINT) AS ended,
           coalesce(cost_usd, CASE WHEN maybe_paid THEN (decision.body ->> '$.reserved_usd')::DOUBLE END, 0.0) AS usd
    FROM attempts
    JOIN events decision ON decision.run_id = attempts.run_id AND decision.type = 'decision'
                        AND decision.body ->> '$.attempt_id' = attempts.attempt_id
    WHERE attempts.run_id = '{run}'
)
SELECT count(*) FROM events refused
WHERE run_id = '{run}' AND type = 'task_failed' AND body ->> '$.error.type' = 'budget'
  AND (SELECT min(usd) FROM calls WHERE role = 'task' AND usd > 0)
      <= {cap} - (SELECT coalesce(sum(usd), 0.0) FROM calls WHERE ended <= refused.ts)
"""


async def run_engine(home: Path, simulator: Simulator, tasks: int, share: float) -> Billed:
    """A run of so many tasks whose budget pays for a share of them, some calls breaking off."""
    settings = load_settings(env=engine_env(home, simulator), cwd=home)
    plan = {"tasks": [{"id": f"t{n}", "prompt": f"Write about subject {n}."} for n in range(tasks)]}
    request = RunRequest(plan=plan, models=("gpt-6.1-sol", "grok-4.7"), max_tasks=tasks, max_concurrency=40)
    async with connect(settings, engine_env(home, simulator), inline=True, notify=lambda _: None) as client:
        estimate = (await client.plan(request)).estimate["cost_usd"]
        assert estimate is not None
        cap = estimate * share
        simulator.set_faults(
            {"fault": "cut", "when": {"probability": 0.02}}, {"fault": "server_error", "when": {"probability": 0.02}}
        )
        began = time.perf_counter()
        result = await client.run(request.model_copy(update={"budget_usd": cap}))
        seconds = time.perf_counter() - began
        statuses = [task.status for task in result.tasks]
        error = result.error.type if result.error else ""
        billed = Billed(tasks, result.status, error, cap, answered=statuses.count("succeeded"), seconds=seconds)
        billed.refused = sum(task.error is not None and task.error.type == "budget" for task in result.tasks)
        await audit(client, result.run_id, billed)
    totals = simulator.ledger.to_json()["totals"]
    billed.unfinished = totals["cost_unfinished_usd"]
    billed.ledger = totals["cost_usd"] - billed.unfinished
    return billed


async def audit(client: Client, run: str, billed: Billed) -> None:
    """What the journal says."""

    async def ask(sql: str) -> tuple[Any, ...]:
        return (await client.sql(sql.format(run=run, cap=billed.cap))).rows[0]

    billed.journal, billed.broken, billed.calls = await ask(SPENT)
    (billed.reservation,) = await ask(RESERVED)
    (billed.false_blocks,) = await ask(FALSE_BLOCKS)


def engine_env(home: Path, simulator: Simulator) -> dict[str, str]:
    return {**simulator.env(), "AI3_HOME": str(home), "AI3_MAX_CONCURRENCY_PER_PROVIDER": "40"}


def measure_engine(tasks: int, share: float = 0.25) -> Billed:
    """The engine against a simulator of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="ai3-") as folder,
        running_in_thread(SimulatorSettings.load(pace={"tokens_per_s": 2000.0})) as simulator,
    ):
        return asyncio.run(run_engine(Path(folder), simulator, tasks, share))


def shown(outcome: Outcome) -> str:
    return (
        f"{outcome.name:<20} {outcome.calls:>6} {outcome.begun:>6} {outcome.refused:>7} {outcome.cap:>9.4f}"
        f" {outcome.spent:>9.4f} {outcome.over:>8.5f} {outcome.reservation:>8.5f} {outcome.false_blocks:>6}"
        f" {outcome.idle_waits + outcome.unanswered:>5} {outcome.seconds:>6.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="calls at once in each form of the pool's part")
    parser.add_argument("--tasks", type=int, default=200, help="tasks of the engine's run; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    args = parser.parse_args()
    print(f"synthetic calls, seed {args.seed}; US dollars")
    print("form                  calls  begun refused       cap     spent     over   1 resv  false  idle      s")
    outcomes = []
    for form in forms(args.calls):
        outcomes.append(play(form, args.seed))
        print(shown(outcomes[-1]), flush=True)
    good = all(outcome.good for outcome in outcomes)
    last: dict[str, Any] = {outcome.name: {**vars(outcome), "over": outcome.over} for outcome in outcomes}
    if args.tasks:
        billed = measure_engine(args.tasks)
        good = good and billed.good
        last["engine"] = {**vars(billed), "over": billed.over}
        print(
            f"engine: {billed.answered} of {billed.tasks} tasks, {billed.refused} refused, {billed.calls} calls,"
            f" {billed.seconds:.1f} s; cap {billed.cap:.4f}, journal {billed.journal:.6f}, simulator"
            f" {billed.ledger:.6f}, of broken answers {billed.broken:.6f} and {billed.unfinished:.6f},"
            f" over {billed.over:.5f} (one reservation {billed.reservation:.5f}), false blocks {billed.false_blocks};"
            f" {billed.status} ({billed.error})"
        )
    print(json.dumps({"good": good, **last}))
    return 0 if good or not args.check else 1


if __name__ == "__main__":
    sys.exit(main())
