"""The journal's figures: speed, acknowledgements, the price of being durable, views, room on the disk.

`python -m tests.bench.bench_journal [FIGURE ...] [--small] [--repeats N] [--seed N] [--check]`; without a FIGURE all
of them but `actor`, which starts a Ray. The data is synthetic and seeded: runs of 20 tasks with decisions of 21
candidates and judged answers of 2 to 4 KB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.bench import journal_size, journal_speed, journal_twin

Figures = dict[str, float]


class Figure(NamedTuple):
    """One measurement."""

    what: str
    measure: Callable[[Path, Random, bool], Awaitable[Figures]]
    """Of a new folder, a source of randomness, and whether a small form will do."""
    targets: dict[str, tuple[str, float]]
    """Figures that have one, as (`>=` or `<=`, target)."""
    once: bool = False
    """Its measurement repeats by itself, or does not vary."""


FIGURES = {
    "flat": Figure(
        "flat out, all tables brought along",
        lambda folder, rng, small: journal_speed.flat_out(folder / "j.duckdb", rng, 8 if small else 64),
        {"events_per_s": (">=", 6000)},
    ),
    "writers": Figure(
        "100 writers, each waits for the disk",
        lambda folder, rng, small: journal_speed.writers(folder / "j.duckdb", rng, 1.0 if small else 4.0),
        {"appends_per_s": (">=", 3000)},
    ),
    "steady": Figure(
        "500 puts a second: time to durable",
        lambda folder, rng, small: journal_speed.steady(folder / "j.duckdb", rng, 500, 1.0 if small else 10.0),
        {"p99_ms": ("<=", 25)},
    ),
    "actor": Figure(
        "100 writers, through a Ray actor",
        lambda folder, _, small: journal_speed.through_actor(folder, 1.0 if small else 5.0),
        {"appends_per_s": (">=", 1000)},
        once=True,
    ),
    "twin": Figure(
        "runs of 200 ms tasks beside the memory twin",
        lambda folder, rng, small: journal_twin.beside_its_twin(folder, rng, 1 if small else 9),
        {"5x4_ratio": ("<=", 1.1), "40x1_ratio": ("<=", 1.1)},
        once=True,
    ),
    "views": Figure(
        "a view over 1,000,000 attempts",
        lambda folder, rng, small: journal_size.views(folder / "j.duckdb", rng, 20_000 if small else 1_000_000),
        dict.fromkeys(journal_size.VIEWS, ("<=", 500)),
        once=True,
    ),
    "size": Figure(
        "10,000 tasks: bytes for each, without its answer",
        lambda folder, rng, small: journal_size.size(folder / "j.duckdb", rng, 200 if small else 10_000, 16),
        {"bytes_per_task": ("<=", 4096)},
        once=True,
    ),
}


def run(name: str, *, small: bool, repeats: int, seed: int) -> Figures:
    """The medians of a figure's measurements, each in a folder of its own."""
    figure, taken = FIGURES[name], []
    for repeat in range(1 if figure.once or small else repeats):
        with tempfile.TemporaryDirectory(prefix="ai3-") as folder:
            taken.append(asyncio.run(figure.measure(Path(folder), Random(seed + repeat), small)))  # type: ignore[arg-type]
    return {key: statistics.median(figures[key] for figures in taken) for key in taken[0]}


def missed(name: str, figures: Figures) -> list[str]:
    """The figures that do not reach their targets."""
    targets = FIGURES[name].targets
    return [key for key, (than, target) in targets.items() if (figures[key] < target) == (than == ">=")]


def main() -> int:
    """Print the table and one line of JSON; exit code 1 with `--check` when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join(FIGURES))
    parser.add_argument("--small", action="store_true", help="a few seconds for all; the figures say little")
    parser.add_argument("--repeats", type=int, default=3, help="measurements that the median is taken of")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="fail when a target is missed")
    asked = parser.parse_args()
    names = asked.figures or [name for name in FIGURES if name != "actor"]
    if unknown := set(names) - FIGURES.keys():
        parser.error(f"there is no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    print(f"synthetic runs, seed {asked.seed}")
    measured, short = {}, []
    for name in names:
        measured[name] = run(name, small=asked.small, repeats=asked.repeats, seed=asked.seed)
        print(f"{name:<8} {FIGURES[name].what}")
        for key, value in measured[name].items():
            than, target = FIGURES[name].targets.get(key, ("", None))
            against = f"  {than} {target:,}" if target is not None else ""
            print(f"    {key:<22} {value:>12,.2f}{against}")
        short += [f"{name}.{key}" for key in missed(name, measured[name])]
    print(json.dumps({"seed": asked.seed, "small": asked.small, "figures": measured, "missed": short}))
    return 1 if short and asked.check else 0


if __name__ == "__main__":
    sys.exit(main())
