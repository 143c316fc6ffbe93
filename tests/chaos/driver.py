"""Kill anything before and after every commit of a run, resume, and check that nothing was lost or paid twice.

    uv run python -m tests.chaos.driver --kills 500 --seed 1

Each kill is a run of its own on real Ray against the simulator. The trap (`plugin/sitecustomize.py`) strikes exactly
before or after the commit of a chosen event; then the run is resumed by a new command, has to end as the same run ends
undisturbed, and is held against the simulator's ledger (`checks.py`). Victims, event types and sides are gone through
as a product, in an order drawn from the seed. The core's death is that of conductor, pool and journal: one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checks import Broken, Record
from tests.chaos.homes import VICTIMS, Site, Victim, opened_site
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.striking import Kill, strike, undisturbed
from tests.chaos.trap import SIDES, Point, Side

Cell = tuple[Victim, str, Side]
"""A victim, a type of event, and a side of its commit."""
References = Mapping[str, Record]
"""Each scenario's run as it is undisturbed."""

SHORT: tuple[Victim, ...] = (*("core", "runner", "cli", "head"), *("core", "runner", "cli", "raylet"), "core", "gcs")
"""Who dies in turn when there are fewer kills than cells: those whose return takes longest have fewer turns."""


@dataclass
class Campaign:
    """What has happened so far."""

    seed: int
    cells: Sequence[Cell]
    done: Counter[Cell] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent on each victim."""

    def victims(self) -> Counter[str]:
        """Kills by victim."""
        counts = Counter[str]()
        for (victim, _, _), times in self.done.items():
            counts[victim] += times
        return counts

    def table(self) -> str:
        """How often each victim died before / after the commit of each type of event."""
        types = sorted({event for _, event, _ in self.cells})
        width = max(map(len, types), default=0)
        lines = [" ".join([" " * width, *(f"{victim:>8}" for victim in VICTIMS)])]
        for event in types:
            counts = (f"{self.done[v, event, 'before']}/{self.done[v, event, 'after']}" for v in VICTIMS)
            lines.append(" ".join([f"{event:{width}}", *(f"{count:>8}" for count in counts)]))
        return "\n".join(lines)

    def summary(self) -> dict[str, object]:
        """The figures."""
        means = {victim: round(self.seconds[victim] / count, 1) for victim, count in self.victims().items()}
        return {
            "kills": self.done.total(),
            "seed": self.seed,
            "violations": self.violations,
            "cells": len(self.cells),
            "cells_covered": sum(self.done[cell] > 0 for cell in self.cells),
            "by_victim": dict(self.victims()),
            "seconds_per_kill": means,
        }


def cells_of(references: References) -> list[Cell]:
    """Every victim, every type of event that any run has, both sides."""
    types = sorted({event for record in references.values() for event in record.types})
    return [(victim, event, side) for victim in VICTIMS for event in types for side in SIDES]


def kills(count: int, seed: int, references: References) -> Iterator[Kill]:
    """Whole rounds through all cells, each in an order of its own; what is left is spread over them."""
    rng = random.Random(seed)
    cells = cells_of(references)
    for n in range(count // len(cells) + 1):
        order = rng.sample(cells, len(cells)) if (n + 1) * len(cells) <= count else _spread(cells, rng)
        for cell in order[: count - n * len(cells)]:
            yield _kill(cell, rng, references)


def _spread(cells: Sequence[Cell], rng: random.Random) -> list[Cell]:
    """An order in which few kills meet every victim, many types, and both sides."""
    piles = {victim: deque(rng.sample(own := [c for c in cells if c[0] == victim], len(own))) for victim in VICTIMS}
    order: list[Cell] = []
    times = Counter[str]()
    while any(piles.values()):
        for victim in SHORT:
            if pile := piles[victim]:
                side = SIDES[times[victim] % 2]
                cell = min(pile, key=lambda cell: (times[cell[1]], cell[2] != side))
                pile.remove(cell)
                times.update(cell[:2])
                order.append(cell)
    return order


def _kill(cell: Cell, rng: random.Random, references: References) -> Kill:
    """A kill in this cell: in any scenario that has such an event, at any of them."""
    victim, event, side = cell
    name = rng.choice([name for name, record in references.items() if record.types[event]])
    return Kill(victim, Point(event, rng.randint(1, references[name].types[event]), side), name)


@asynccontextmanager
async def opened_sites(count: int) -> AsyncIterator[Sequence[Site]]:
    """Sites side by side that share their bytecode."""
    async with AsyncExitStack() as stack:
        bytecode = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ai3b-", ignore_cleanup_errors=True)))
        yield [await stack.enter_async_context(opened_site(bytecode)) for _ in range(count)]


async def references_of(site: Site) -> dict[str, Record]:
    """Each scenario undisturbed."""
    return {scenario.name: await undisturbed(scenario, site) for scenario in SCENARIOS}


async def campaign(count: int, seed: int, sites: Sequence[Site], *, report: bool = False) -> Campaign:
    """Many kills, shared by the sites; a broken promise is noted, and the campaign goes on."""
    references = await references_of(sites[0])
    done = Campaign(seed, cells_of(references))
    waiting = deque(enumerate(kills(count, seed, references), 1))

    async def work(site: Site) -> None:
        while waiting:
            n, kill = waiting.popleft()
            began = time.monotonic()
            try:
                await strike(kill, references[kill.scenario].answer, site)
                note = ""
            except (AssertionError, Broken) as error:
                note = f"  {error}"
                done.violations.append(f"kill {n} of seed {seed}, {kill}: {error}")
            took = time.monotonic() - began
            done.done[kill.victim, kill.point.type, kill.point.side] += 1
            done.seconds[kill.victim] = done.seconds.get(kill.victim, 0.0) + took
            if report:
                print(f"{n:4} {took:5.1f} s  {kill}{note}", flush=True)

    async with asyncio.TaskGroup() as group:
        for site in sites:
            group.create_task(work(site))
    return done


async def _main(options: argparse.Namespace) -> int:
    began = time.monotonic()
    async with opened_sites(options.homes) as sites:
        done = await campaign(options.kills, options.seed, sites, report=True)
    print(f"\nkills before/after the commit of each event; core = conductor, pool and journal\n{done.table()}\n")
    print(json.dumps({**done.summary(), "homes": options.homes, "seconds": round(time.monotonic() - began)}))
    return 1 if done.violations else 0


def main() -> None:
    """The long form, as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--homes", type=int, default=1, help="campaigns side by side, each with its own head")
    sys.exit(asyncio.run(_main(parser.parse_args())))


if __name__ == "__main__":
    main()
