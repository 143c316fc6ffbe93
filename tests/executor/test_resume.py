"""Going on from wherever the journal says a run is: at its last steps, where little is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ai3ray.domain.call import ErrorInfo, Usage
from ai3ray.domain.events import (
    AssembleStart,
    Event,
    Final,
    PlanProgress,
    RunStart,
    TaskArtifact,
    TaskFailed,
    TaskStart,
)
from ai3ray.domain.request import RunRequest
from ai3ray.domain.run import RunState
from ai3ray.executor.build import build_core
from ai3ray.executor.conductor import Conductor
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.journal.store import DuckDBJournal
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from tests.conftest import make_home
from tests.executor.graphs import asked, wide
from tests.executor.hosts import LoneHost
from tests.executor.test_owner import Idle

REQUEST = RunRequest(plan=wide(2), max_tasks=20, deadline_s=0.001)
PLAN = {"tasks": [{**task, "title": task["id"]} for task in wide(2)["tasks"]], "assembly": "concat"}
ANSWERED: tuple[Event, ...] = (
    RunStart(request=REQUEST.model_dump(mode="json")),
    PlanProgress(phase="completed", plan=PLAN, source="file"),
    TaskStart(task_id="t0", attempt_id="a", model="p/m"),
    TaskArtifact(task_id="t0", artifact="sha256:0", text="tea", model="p/m", usage=Usage(), cost_usd=0.0),
    TaskFailed(task_id="t1", error=ErrorInfo(type="rejected", message="no")),
    AssembleStart(assembly="concat", holes=("t1",)),
)
"""A run with one answer and one hole, about to be put together."""


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[DuckDBJournal]:
    journal = await DuckDBJournal.open(tmp_path / "journal.duckdb")
    yield journal
    await journal.aclose()


async def resumed(journal: DuckDBJournal, events: Sequence[Event], request: RunRequest) -> tuple[RunState, list[str]]:
    """The run's state in the end, its events' types, and how much work was given out."""
    journal.put("r", events)
    settings, runner_pool = load_settings(env={}, cwd=Path("/")), Idle()
    conductor = Conductor(
        "r",
        request,
        host=LoneHost(),
        journal=journal,
        runner_pool=runner_pool,
        models=ConfiguredModels(Registry.load(settings), settings, ("xai",)),
    )
    await conductor.conduct()
    assert runner_pool.work == []
    return journal.state("r"), [line.partition('"type":"')[2].partition('"')[0] for line in await journal.tail("r", 0)]


async def test_killed_between_end_and_stats_it_gets_its_stats_and_no_second_end_though_its_time_is_up(journal):
    state, types = await resumed(journal, [*ANSWERED, Final(status="partial", output="tea")], REQUEST)
    assert (state.status, state.complete) == ("partial", True)
    assert types[-2:] == ["final", "stats"]


async def test_killed_while_its_answer_is_put_together_it_tries_nothing_again(journal):
    state, types = await resumed(journal, ANSWERED, REQUEST.model_copy(update={"deadline_s": None}))
    assert (state.status, state.complete) == ("partial", True)
    assert types.count("assemble_start") == types.count("final") == 1
    assert "tea" in str(state.output)


async def test_a_key_that_comes_again_is_acknowledged_when_the_first_one_is_on_disk(home_folder, simulator):
    home = make_home(home_folder, simulator)
    core = await build_core(home.settings, home.env)
    core.start(Idle())
    first = asyncio.create_task(core.submit(asked(wide(1)), key="once"))
    await asyncio.sleep(0)  # it is accepted in a task of its own
    await asyncio.sleep(0)
    again = await core.submit(asked(wide(1)), key="once")
    reading = asyncio.create_task(core.feed(again.run_id))
    for _ in range(5):  # a commit takes longer than that
        await asyncio.sleep(0)
    assert reading.done()
    assert (await first).run_id == again.run_id
    await core.aclose()
