"""Kill anything at any event of a run, resume, and check that nothing was lost, paid again or committed twice.

    uv run python -m tests.chaos.driver --kills 500 --seed 1

Each kill is one run of a plan on real Ray against the simulator. When the chosen event of the run has been seen, or
a moment before the next one is due, the victim gets SIGKILL; then the run is resumed by a new command.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from ai3ray.client import Client
from ai3ray.connect import connect
from ai3ray.domain.request import RunRequest
from ai3ray.errors import Ai3Error
from ai3ray.headlink import find_head, stop_head
from ai3ray.simulator import Simulator, running_in_thread
from tests.conftest import Home, make_home, quiet

Victim = Literal["cli", "runner", "core", "raylet", "head"]
VICTIMS: tuple[Victim, ...] = ("cli", "runner", "core", "raylet", "head")
EVENTS = 21
"""Events of an undisturbed run of PLAN."""
SETTLE_S = 60.0
"""Seconds within which a resumed run has to end."""

PLAN = {
    "tasks": [
        {"id": "top", "prompt": "Collect the facts about tea."},
        {"id": "left", "prompt": "Write about green tea.", "depends_on": ["top"]},
        {"id": "right", "prompt": "Write about black tea.", "depends_on": ["top"]},
        {"id": "bottom", "prompt": "Compare the two teas.", "depends_on": ["left", "right"]},
    ]
}
PROMPTS = {task["prompt"]: task["id"] for task in PLAN["tasks"]}


@dataclass(frozen=True)
class Kill:
    """Who dies, and when."""

    victim: Victim
    after_event: int
    """The event that has been seen when it happens; 0: at once after the run was accepted."""
    delay_s: float
    """A moment later: the next event may be on its way to the disk."""


@dataclass(frozen=True)
class Moment:
    """How things stood when the kill came."""

    committed: dict[str, str]
    """Text by task, of the artifacts a reader had seen."""
    calls: int
    """Calls that the simulator had received."""
    in_flight: int
    """Calls it was answering."""


class Broken(AssertionError):
    """A promise was not kept."""


def kills(count: int, seed: int) -> Iterator[Kill]:
    """Every victim at every event in a shuffled order, again and again."""
    rng = random.Random(seed)
    cases = [(victim, event) for victim in VICTIMS for event in range(EVENTS)]
    order: list[tuple[Victim, int]] = []
    for _ in range(count):
        if not order:
            order = rng.sample(cases, len(cases))
        victim, event = order.pop()
        yield Kill(victim, event, rng.choice([0.0, 0.0, rng.uniform(0.0, 0.02)]))


async def strike(kill: Kill, home: Home, simulator: Simulator) -> None:
    """One run, one kill, one resume, and the checks."""
    simulator.reset()
    key = os.urandom(8).hex()
    request = RunRequest.model_validate({"plan": PLAN, "models": ["grok-4.7"], "verify": False, "max_concurrency": 4})
    starter = await _start_cli(home) if kill.victim == "cli" else None
    async with connect(home.settings, home.env, notify=quiet) as client:
        run_id = await _run_of(starter, client) if starter else (await client.submit(request, key=key)).run_id
        moment = await _kill_when_due(kill, client, run_id, home, simulator, starter)
    if starter is not None:
        await starter.wait()
    await _resume(home, run_id)
    async with connect(home.settings, home.env, notify=quiet) as client:
        await _check(client, run_id, moment, simulator)


async def _start_cli(home: Home) -> asyncio.subprocess.Process:
    plan = home.path / "plan.json"
    plan.write_text(json.dumps(PLAN))
    words = ("run", "--plan", str(plan), "--model", "grok-4.7", "--no-verify", "--stream")
    ai3 = Path(sys.executable).with_name("ai3")
    return await asyncio.create_subprocess_exec(
        ai3, *words, env=home.env, cwd=home.path, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
    )


async def _run_of(starter: asyncio.subprocess.Process, client: Client) -> str:
    """The id of the run that a command has just started: the newest one."""
    assert starter.stderr is not None
    while b"run_start" not in (line := await starter.stderr.readline()):
        if not line:
            raise Broken("the command ended before its run began")
    return (await client.runs(1))[0].run_id


async def _kill_when_due(
    kill: Kill,
    client: Client,
    run_id: str,
    home: Home,
    simulator: Simulator,
    starter: asyncio.subprocess.Process | None,
) -> Moment:
    pid = starter.pid if starter else await _pid(kill.victim, home)
    committed: dict[str, str] = {}
    events = client.events(run_id)
    if kill.after_event:
        async for event in events:
            if event.type == "task_artifact":
                committed[event.task_id] = event.text
            if event.seq >= kill.after_event:
                break
    await asyncio.sleep(kill.delay_s)
    moment = Moment(committed, len(simulator.ledger.calls), simulator.ledger.in_flight)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    await events.aclose()
    return moment


async def _pid(victim: Victim, home: Home) -> int:
    """The victim's process; one that Ray is just starting is waited for."""
    head = find_head(home.settings)
    if head is None:
        raise Broken("there is no head")
    if victim == "head":
        return head.pid
    words = {"runner": "ray::RunnerHost", "core": "ray::CoreHost", "raylet": "raylet/raylet"}[victim]
    async with asyncio.timeout(SETTLE_S):
        while True:
            for process in psutil.Process(head.pid).children(recursive=True):
                with suppress(psutil.Error):
                    if words in " ".join(process.cmdline()):
                        return process.pid
            await asyncio.sleep(0.05)


async def _resume(home: Home, run_id: str) -> None:
    """What a user does: ask for the run again, whoever serves by now; a dying head may need a second asking."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        try:
            async with asyncio.timeout(SETTLE_S), connect(home.settings, home.env, notify=quiet) as client:
                await client.wait(run_id)
                return
        except (Ai3Error, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise Broken(f"{run_id} did not end: {error}") from error
            await asyncio.sleep(0.2)


async def _check(client: Client, run_id: str, moment: Moment, simulator: Simulator) -> None:
    result = await client.result(run_id)
    _demand(result.status == "succeeded", f"{run_id} ended as {result.status}: {result.error}")
    events = [event async for event in client.events(run_id)]
    _demand([event.seq for event in events] == list(range(1, len(events) + 1)), "the history has gaps")
    kinds = Counter(event.type for event in events)
    _demand(kinds["final"] == kinds["stats"] == kinds["run_start"] == 1, f"not terminal once: {dict(kinds)}")
    artifacts = [event for event in events if event.type == "task_artifact"]
    _demand(sorted(event.task_id or "" for event in artifacts) == sorted(PROMPTS.values()), "not committed once each")
    texts = {event.task_id: event.text for event in artifacts}
    _demand(all(texts[task] == text for task, text in moment.committed.items()), "a seen artifact has changed")
    _demand(result.output == texts["bottom"], "the answer is not the last task's artifact")
    place = {(event.type, event.task_id): event.seq for event in events}
    for task in PLAN["tasks"]:
        for dep in task.get("depends_on", ()):
            _demand(place["task_artifact", dep] < place["task_start", task["id"]], f"{task['id']} came before {dep}")
    later = [PROMPTS[call.turns[-1][1].rsplit("\n", 1)[-1]] for call in simulator.ledger.calls[moment.calls :]]
    _demand(not set(later) & set(moment.committed), "a committed artifact was paid again")
    await _check_bills(client, run_id, simulator)


async def _check_bills(client: Client, run_id: str, simulator: Simulator) -> None:
    """Every call that was billed and brought no artifact is countable as `maybe_paid`, or known to have failed."""
    table = await client.sql(
        f"select count(*) filter (maybe_paid), count(*), count(*) filter (status = 'started') "
        f"from attempts where run_id = '{run_id}'"
    )
    maybe_paid, attempts, started = table.rows[0]
    wasted = len(simulator.ledger.calls) - len(PROMPTS)
    _demand(maybe_paid >= wasted, f"{wasted} calls brought nothing, {maybe_paid} are known as maybe paid")
    _demand(attempts >= len(simulator.ledger.calls), "a call was made that no attempt tells of")
    _demand(started == 0, "an attempt is still open after the run has ended")


def _demand(kept: bool, promise: str) -> None:
    if not kept:
        raise Broken(promise)


async def campaign(count: int, seed: int, *, report: bool = False) -> dict[str, int]:
    """Many kills in one home; returns how many each victim suffered. Raises Broken at the first broken promise."""
    done: Counter[str] = Counter()
    with (
        running_in_thread() as simulator,
        tempfile.TemporaryDirectory(prefix="ai3x-", dir="/tmp", ignore_cleanup_errors=True) as folder,
    ):
        home = make_home(Path(folder), simulator)
        try:
            for n, kill in enumerate(kills(count, seed), 1):
                began = time.monotonic()
                try:
                    await strike(kill, home, simulator)
                except Broken as error:
                    raise Broken(f"kill {n} of seed {seed}, {kill}: {error}") from error
                done[kill.victim] += 1
                if report:
                    print(f"{n:4} {kill.victim:7} after event {kill.after_event:2}  {time.monotonic() - began:5.1f} s")
        finally:
            await stop_head(home.settings)
    return dict(done)


def main() -> None:
    """The long form, as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    done = asyncio.run(campaign(options.kills, options.seed, report=True))
    print(json.dumps({"kills": done, "seed": options.seed, "seconds": round(time.monotonic() - began)}))


if __name__ == "__main__":
    main()
