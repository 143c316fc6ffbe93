"""How much of a vendor's allowance is used, and how many calls are refused.

    python -m tests.bench.bench_limits [--minutes 30] [--seed 1] [--check]     in virtual time
    python -m tests.bench.bench_limits --real [--seconds 60] [--check]         four runners on Ray, over HTTP

In virtual time a client with more work than it can do meets an account with limits by the vendor's own accounting
(`ai3ray.simulator.limits.vendor_limits`): a minute of ramp, the time that is measured, then a quarter of the
allowance per minute, then all of it again. The work is drawn from the seed. Beside the provider pool stand a static
semaphore, and the rules of inspect_ai's adaptive connections by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from ai3ray.simulator.limits.limit_settings import Limits
from ai3ray.simulator.vendors import VendorName
from tests.bench.virtual import (
    Client,
    Clock,
    FixedRules,
    InspectRules,
    PermitClient,
    PoolClient,
    Vendor,
    keep_busy,
    settings_of,
    works,
)

RAMP_S = 60.0
QUARTER_S = 180.0
BACK_S = 180.0
INPUT, OUTPUT, PER_S = 800, 400, 100.0
"""Mean tokens of a call, and how many a second brings."""
SECONDS = 0.5 + OUTPUT / PER_S
RPM = 600
IN_FLIGHT = round(RPM / 60 * SECONDS)
STRATEGIES = ("pool", "semaphore", "inspect")
VENDORS: tuple[VendorName, ...] = ("anthropic", "openai", "xai")
BOUNDS = ("requests", "tokens", "concurrency", "all", "wall")


@dataclass(frozen=True)
class Row:
    """One strategy in one world."""

    vendor: str
    bound: str
    strategy: str
    calls: int
    used: float
    """Share of the tightest allowance, over the whole time or over its second half, whichever is less: buckets are
    full at the start, and that must not hide anything."""
    refused: float
    """Share of the calls that were answered 429."""
    late: int
    """429 later than 2 s after the Retry-After that told of the quarter."""
    back: float
    """Share of the tightest allowance that was used from 60 s after its return on."""

    @property
    def met(self) -> bool:
        """Whether it meets the targets; how soon a wall is found again that is not told of is not one."""
        back = self.bound == "wall" or self.back >= 0.95
        return self.used >= 0.98 and self.refused <= 0.002 and not self.late and back


def limits_of(vendor: VendorName, bound: str) -> Limits:
    """An account whose tightest limit is this one; the others leave half as much again.

    `all` has requests and tokens as tight as can be, and a fifth of concurrency to spare: calls differ in length, and
    what a vendor without bursts is not asked for in a second is lost. `wall` is `concurrency` that nobody was told of.
    """

    def most(name: str, need: float) -> int:
        free = name == "concurrency"
        spare = {name: 1.0, "all": 1.2 if free else 1.0, "wall": 1.0 if free else 1.5}
        return round(need * spare.get(bound, 1.5))

    tokens = 1024 if vendor == "openai" else INPUT + OUTPUT
    sides = vendor == "anthropic"
    return Limits(
        rpm=most("requests", RPM),
        tpm=most("tokens", RPM * tokens) * (2 if sides else 1),
        itpm=most("input", RPM * INPUT) if sides else None,
        otpm=most("tokens", RPM * OUTPUT) if sides else None,
        concurrency=most("concurrency", IN_FLIGHT),
    )


def measure(vendor: VendorName, bound: str, strategy: str, minutes: float, seed: int) -> Row:
    """One strategy in one world."""
    clock = Clock()
    full = limits_of(vendor, bound)
    account = Vendor(clock, vendor, full, seed)
    supply = works(seed, input_tokens=INPUT, output_tokens=OUTPUT, per_s=PER_S)
    ceiling = full.concurrency * (4 if bound == "wall" else 1)
    keep_busy(clock, _client(strategy, clock, account, ceiling), supply, 5 * IN_FLIGHT, RAMP_S)
    end = RAMP_S + minutes * 60
    clock.run(end)
    halfway = (RAMP_S + end) / 2
    used = min(max(account.used(start, end).values()) for start in (RAMP_S, halfway))
    calls, refused = len(account.admitted), len(account.refused)
    account.change(full.scaled(0.25).model_copy(update={"concurrency": full.concurrency}))
    clock.run(end + QUARTER_S)
    late = _late(account, end)
    account.change(full)
    clock.run(end + QUARTER_S + BACK_S)
    back = max(account.used(end + QUARTER_S + 60.0, end + QUARTER_S + BACK_S).values())
    share = round(refused / (calls + refused), 5)
    return Row(vendor, bound, strategy, calls, round(used, 4), share, late, round(back, 4))


def _client(strategy: str, clock: Clock, account: Vendor, ceiling: int) -> Client:
    if strategy == "pool":
        return PoolClient(clock, account, settings_of(account.name, max_concurrency=ceiling), account.name)
    return PermitClient(clock, account, FixedRules(ceiling) if strategy == "semaphore" else InspectRules(ceiling))


def _late(account: Vendor, since: float) -> int:
    """Refusals after the first one of the quarter had told how long to wait, and 2 s more."""
    refused = [(at, wait) for at, wait in account.refused if at >= since]
    return sum(at > refused[0][0] + refused[0][1] + 2.0 for at, _ in refused)


def table(rows: list[Row]) -> str:
    """For people."""
    lines = [f"{'vendor':10} {'tightest':12} {'client':10} {'calls':>6} {'used':>7} {'429':>8} {'late':>5} {'back':>7}"]
    lines += [
        f"{row.vendor:10} {row.bound:12} {row.strategy:10} {row.calls:6} {row.used:7.2%} {row.refused:8.3%}"
        f" {row.late:5} {row.back:7.2%}{'' if row.met or row.strategy != 'pool' else '  missed'}"
        for row in rows
    ]
    return "\n".join(lines)


def virtual(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    """All worlds in virtual time."""
    rows = [
        measure(vendor, bound, strategy, options.minutes, options.seed)
        for vendor in VENDORS
        for bound in BOUNDS
        for strategy in STRATEGIES
        if options.vendor in (None, vendor) and options.bound in (None, bound) and options.strategy in (None, strategy)
    ]
    print(f"synthetic work, seed {options.seed}; {options.minutes:g} minutes of virtual time")
    print(table(rows))
    return all(row.met for row in rows if row.strategy == "pool"), {"rows": [asdict(row) for row in rows]}


def real(options: argparse.Namespace) -> tuple[bool, dict[str, Any]]:
    """Four runners."""
    from tests.bench.limits_real import over_http

    told = asyncio.run(over_http(options.vendor or "anthropic", options.seconds, options.seed))
    print(f"4 runners, {options.seconds:g} s at 600 requests per minute: {told}")
    return told["used"] >= 0.95 and told["refused"] <= 0.005, told


def main() -> int:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vendor", choices=VENDORS)
    parser.add_argument("--bound", choices=BOUNDS)
    parser.add_argument("--strategy", choices=STRATEGIES)
    parser.add_argument("--check", action="store_true", help="exit 1 when the pool misses a target")
    options = parser.parse_args()
    met, found = real(options) if options.real else virtual(options)
    print(json.dumps({"bench": "limits", "real": options.real, "met": met, **found}))
    return 1 if options.check and not met else 0


if __name__ == "__main__":
    sys.exit(main())
