"""The router against what it has to be better than: `python -m tests.bench.bench_routing [--data DIR] [--check]`.

1. Area below the cost-quality curve, prompts in random order, their kind as context, the weight of the cost swept
   from none to nearly all. Every chooser knows prices and kinds, and learns as it goes.
2. After the best model has changed places with another half-way: prompts until the mean regret over 100 prompts is
   at most 0.03 above its level before.
3. When the fastest model of latency-sensitive traffic takes three times as long for a while: calls until it has lost
   that traffic, and until it has it back after it has recovered.

With `--data` the prompts are those of llmrouter_outcomes.json in that folder, else a synthetic set of the same shape.
Figures are medians over `--seeds` orders. `--check` makes the exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

from ai3ray.settings.files import read_toml
from ai3ray.settings.packaged import configs_dir
from tests.bench.choosers import AnyModel, BetaSampling, EpsilonGreedy, Make, Routed
from tests.bench.curves import area, area_of, single_models
from tests.bench.outcomes import Outcomes, load_outcomes
from tests.bench.slowdown import slowdown
from tests.bench.swap import Swap, swap, swapped_pairs

MOST_PROMPTS, MOST_LOST, MOST_BACK = 300, 30, 200
"""Targets: prompts to recover after a change; calls to lose latency-sensitive traffic, and to have it back."""


def shipped() -> dict[str, Any]:
    """`router.toml` as it ships."""
    return read_toml(configs_dir() / "router.toml")


def choosers(table: dict[str, Any]) -> dict[str, Make]:
    """The router, and those that learn or guess, by name."""

    def routed(outcomes: Outcomes, cost: float, seed: int) -> Routed:
        return Routed(outcomes, cost, seed, table)

    return {
        "router": routed,
        "Beta sampling, no decay": BetaSampling,
        "epsilon-greedy (0.1)": EpsilonGreedy,
        "random": AnyModel,
    }


def areas(outcomes: Outcomes, makes: dict[str, Make], seeds: range) -> dict[str, float]:
    """Median area below each chooser's curve; and below that of single models, chosen with hindsight."""
    found = {name: median(area_of(outcomes, make, seed) for seed in seeds) for name, make in makes.items()}
    return found | {"best single models": area(outcomes, single_models(outcomes))}


def swaps(outcomes: Outcomes, makes: dict[str, Make], seeds: range) -> dict[str, tuple[float, ...]]:
    """Per chooser: median regret before and in the 300 prompts after the change, and prompts to recover."""
    pairs = swapped_pairs(outcomes)
    return {
        name: _medians([swap(outcomes, make, pair, seed) for seed in seeds for pair in pairs])
        for name, make in makes.items()
        if name != "random"
    }


def _medians(seen: list[Swap]) -> tuple[float, ...]:
    return tuple(median(figures) for figures in zip(*seen, strict=True))


def slowdowns(table: dict[str, Any], seeds: range) -> dict[str, float]:
    """Medians and worst cases of what a slow model's traffic does."""
    seen = [slowdown(table, seed) for seed in seeds]
    return {
        "share_before": median(one.before for one in seen),
        "lost_after": median(one.lost_after for one in seen),
        "lost_after_worst": max(one.lost_after for one in seen),
        "share_while_slow": median(one.meanwhile for one in seen),
        "back_after": median(one.back_after for one in seen),
        "back_after_worst": max(one.back_after for one in seen),
    }


def misses(report: dict[str, Any]) -> list[str]:
    """The targets that were not met, in words."""
    found = [
        f"the area of {name} is not below the router's"
        for name, value in report["area"].items()
        if name != "router" and value >= report["area"]["router"]
    ]
    if report["swap"]["router"][2] > MOST_PROMPTS:
        found.append(f"more than {MOST_PROMPTS} prompts to recover after a change")
    slow = report["slowdown"]
    if slow["lost_after"] > MOST_LOST or slow["back_after"] > MOST_BACK:
        found.append(f"more than {MOST_LOST} calls to leave a slow model, or {MOST_BACK} to come back")
    return found


def show(report: dict[str, Any]) -> None:
    """The report as tables, and as one line of JSON at the end."""
    print(f"{report['source']}: {report['prompts']} prompts, medians of {report['seeds']} orders")
    print("\narea below the cost-quality curve")
    for name, value in sorted(report["area"].items(), key=lambda row: -row[1]):
        print(f"  {name:<26}{value:.4f}")
    print("\ntwo models change places    regret before  300 prompts after  prompts to recover")
    for name, (before, after, prompts) in report["swap"].items():
        print(f"  {name:<26}{before:>13.3f}{after:>19.3f}{prompts:>20.0f}")
    slow = report["slowdown"]
    print("\nthe fastest of three models takes three times as long, then recovers")
    print(f"  its share before {slow['share_before']:.0%}, while it is slow {slow['share_while_slow']:.0%}")
    print(f"  calls until its traffic is gone: {slow['lost_after']:.0f} (worst {slow['lost_after_worst']})")
    print(f"  calls until it has it back: {slow['back_after']:.0f} (worst {slow['back_after_worst']})")
    print("\n" + json.dumps(report))


def main() -> int:
    """Run the bench. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of llmrouter_outcomes.json")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5, help="how many orders")
    parser.add_argument("--prompts", type=int, help="at most so many")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    given = parser.parse_args()
    table, seeds = shipped(), range(given.seed, given.seed + given.seeds)
    outcomes = load_outcomes(given.data, given.seed, given.prompts)
    makes = choosers(table)
    report = {
        "source": outcomes.source,
        "prompts": len(outcomes.prompts),
        "seeds": given.seeds,
        "area": areas(outcomes, makes, seeds),
        "swap": swaps(outcomes, makes, seeds),
        "slowdown": slowdowns(table, range(given.seed, given.seed + 4 * given.seeds)),
    }
    show(report)
    missed = misses(report)
    for words in missed:
        print(f"missed: {words}", file=sys.stderr)
    return 1 if given.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
