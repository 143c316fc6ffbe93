"""One run, one kill, one resume, and the checks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

from ai3ray.client.local_head import find_head
from ai3ray.domain.run import TERMINAL
from ai3ray.errors import Ai3Error
from tests.chaos.checks import Answer, Broken, Record, check, check_bills, check_history, record_of
from tests.chaos.homes import AI3, Site, Victim, gone, until
from tests.chaos.scenarios import BY_NAME, Scenario
from tests.chaos.trap import Point, Struck

END_S = 90.0
"""Seconds within which a run has to end, kill and resume included."""
SETTLE_S = 5.0
"""Seconds after its end within which the last calls of a run are settled."""


@dataclass(frozen=True)
class Kill:
    """Who dies, when, and in which run."""

    victim: Victim
    point: Point
    scenario: str

    def __str__(self) -> str:
        point = self.point
        return f"{self.victim} {point.side} {point.type} {point.nth} of a run {self.scenario!r}"


async def undisturbed(scenario: Scenario, site: Site) -> Record:
    """The run as it is when nobody is killed; it has to keep the promises too."""
    await site.ready()
    site.simulator.set_faults(*map(dict, scenario.faults))
    run_id = await submitted(scenario, site)
    await to_the_end(run_id, scenario, site)
    record = await settled(run_id, site)
    check_history(record)
    check_bills(record)
    return record


async def strike(kill: Kill, expected: Answer, site: Site) -> Record:
    """Start the run, kill, resume, check. Raises Broken when a promise was not kept."""
    scenario = BY_NAME[kill.scenario]
    await site.ready()
    site.simulator.set_faults(*map(dict, scenario.faults))
    head = find_head(site.home.settings)
    try:
        run_id, struck, seen = await _struck(kill, scenario, site)
        record = await settled(run_id, site)
        check(record, expected, kill.victim, kill.point, struck, [*site.trap.committed(), *seen])
    finally:
        site.trap.clear()
    if kill.victim in ("raylet", "gcs", "head") and head is not None:
        await until(lambda: gone(head.pid), "the old head does not leave")
    return record


async def _struck(kill: Kill, scenario: Scenario, site: Site) -> tuple[str, Struck, list[str]]:
    """The run's id once it has ended, the kill that happened on the way, and the events that a reader saw."""
    if kill.victim == "cli":
        struck = await _struck_command(kill, scenario, site)
        return struck.run_id, struck, []
    pids = [] if kill.victim == "core" else await site.pids(kill.victim)
    site.trap.set(kill.point, pids, freeze=kill.victim == "head" and kill.point.side == "before")
    run_id = await submitted(scenario, site)
    seen = await to_the_end(run_id, scenario, site)
    return run_id, await _has_struck(site), seen


async def _struck_command(kill: Kill, scenario: Scenario, site: Site) -> Struck:
    """The same when the command that started the run is what dies; another command resumes it."""
    command = await started(words_of(scenario, site), site)
    site.trap.set(kill.point, [command.pid], freeze=False)
    try:
        if scenario.cancel_at:  # from another terminal
            struck = await _cancelled_beside(scenario, site)
        else:
            struck = await _has_struck(site)
        async with asyncio.timeout(END_S):
            code = await command.wait()
    finally:
        with suppress(ProcessLookupError):
            command.kill()
    if code != -signal.SIGKILL:
        raise Broken(f"the command ended with {code} before it was killed")
    resuming = await started(["runs", "resume", struck.run_id, "--json"], site, reads=True)
    answer, _ = await resuming.communicate()
    if json.loads(answer)["status"] not in TERMINAL:
        raise Broken("the resumed run has not ended")
    return struck


async def _cancelled_beside(scenario: Scenario, site: Site) -> Struck:
    """Cancel the run that a command has just started, when it is due."""
    began = time.monotonic()
    async with site.client() as client:
        while not (runs := [run for run in await client.runs(1) if run.status not in TERMINAL]):
            if time.monotonic() > began + END_S:
                raise Broken("the command has started no run")
            await asyncio.sleep(0.02)
    await to_the_end(runs[0].run_id, scenario, site)
    return await _has_struck(site)


async def _has_struck(site: Site) -> Struck:
    struck = await site.trap.strikes(END_S)
    if struck is None:
        hint = "the run never came to that point"
        raise Broken(hint if site.trap.armed else "the trap finds no writer: see MODULE in plugin/sitecustomize.py")
    return struck


async def submitted(scenario: Scenario, site: Site) -> str:
    """The id of an accepted run; asked for again, with the same key, until somebody answers."""
    key, deadline = os.urandom(8).hex(), time.monotonic() + END_S
    while True:
        try:
            async with site.client() as client:
                return (await client.submit(scenario.request, key=key)).run_id
        except Ai3Error as error:
            if time.monotonic() > deadline:
                raise Broken(f"nobody takes the run: {error}") from error
            await asyncio.sleep(0.1)


async def to_the_end(run_id: str, scenario: Scenario, site: Site) -> list[str]:
    """What a user does: ask for the run again, whoever serves by now, until it has ended. Returns what was shown."""
    deadline, seen = time.monotonic() + END_S, list[str]()
    while True:
        try:
            async with asyncio.timeout(END_S):
                await _followed(run_id, scenario, site, seen)
                return seen
        except (Ai3Error, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise Broken(f"{run_id} did not end: {error!r}") from error
            await asyncio.sleep(0.1)


async def _followed(run_id: str, scenario: Scenario, site: Site, seen: list[str]) -> None:
    async with site.client() as client:
        await client.resume(run_id)
        async with aclosing(client.events(run_id)) as events:
            async for event in events:
                seen.append(event.line())
                if event.type == "task_start" and event.task_id == scenario.cancel_at:
                    await client.cancel(run_id)


async def settled(run_id: str, site: Site) -> Record:
    """The run's record, once the last of its calls is settled; those that are open for long are told as they are."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        async with site.client() as client:
            record = await record_of(client, run_id, site)
        open_calls = [attempt for attempt in record.attempts if attempt.status == "started"]
        if not open_calls or time.monotonic() > deadline:
            return record
        await asyncio.sleep(0.1)


async def started(words: Sequence[str], site: Site, *, reads: bool = False) -> Process:
    """The command `ai3` with these words."""
    home = site.home
    return await asyncio.create_subprocess_exec(
        AI3, *words, env=home.env, cwd=home.path, stdin=DEVNULL, stdout=PIPE if reads else DEVNULL, stderr=DEVNULL
    )


def words_of(scenario: Scenario, site: Site) -> list[str]:
    """The command line of a scenario's request."""
    request = scenario.request
    words = ["run", request.prompt, "--stream"]
    if request.plan is not None:
        plan = site.home.path / "plan.json"
        plan.write_text(json.dumps(request.plan))
        words += ["--plan", str(plan)]
    if request.planner_model:
        words += ["--planner-model", request.planner_model]
    if request.max_concurrency:
        words += ["--max-concurrency", str(request.max_concurrency)]
    if request.verify is False:
        words.append("--no-verify")
    return [*words, *(word for model in request.models for word in ("--model", model))]
