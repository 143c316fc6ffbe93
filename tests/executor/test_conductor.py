"""The conductor alone, with a runner pool whose runners die and the memory journal."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ai3ray.domain.call import Usage
from ai3ray.domain.events import RunStart, TaskArtifact, TaskStart
from ai3ray.domain.request import RunRequest
from ai3ray.errors import RunnerLost
from ai3ray.executor.conductor import MAX_LOST, Conductor
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.executor.port import Outcome
from ai3ray.journal.memory import MemoryJournal
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings
from tests.executor.graphs import wide
from tests.executor.hosts import LoneHost


class Gone:
    """A reference to work whose runner died."""

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        raise RunnerLost("the runner died")

    def cancel(self):
        pass


class DeadlyRunnerPool:
    """Every runner that is given a task of `deadly` dies; others answer at once, through the journal."""

    def __init__(self, journal: MemoryJournal, run_id: str, deadly: set[str]) -> None:
        self.journal, self.run_id, self.deadly = journal, run_id, deadly
        self.given: list[str] = []

    def start_task(self, job, deps):
        self.given.append(job.task.id)
        if job.task.id in self.deadly:
            return Gone()
        answer = TaskArtifact(
            task_id=job.task.id, artifact="sha256:0", text="an answer", model="p/m", usage=Usage(), cost_usd=0.0
        )
        self.journal.put(self.run_id, [TaskStart(task_id=job.task.id, attempt_id="a", model="p/m"), answer])
        return asyncio.ensure_future(asyncio.sleep(0, Outcome(task_id=job.task.id, status="succeeded", text="x")))


async def conducted(deadly: set[str]):
    journal = MemoryJournal()
    settings = load_settings(env={}, cwd=Path("/"))
    request = RunRequest(plan=wide(2), max_tasks=20)
    journal.put("r", [RunStart(request=request.model_dump(mode="json"))])
    runner_pool = DeadlyRunnerPool(journal, "r", deadly)
    host = LoneHost()
    conductor = Conductor(
        "r",
        request,
        host=host,
        journal=journal,
        runner_pool=runner_pool,
        models=ConfiguredModels(Registry.load(settings), settings, ("xai",)),
    )
    await conductor.conduct()
    return journal.state("r"), runner_pool, host.lost


async def test_a_task_that_kills_its_runners_fails_and_says_so_and_its_siblings_go_on():
    state, runner_pool, lost = await conducted({"t0"})
    assert runner_pool.given.count("t0") == len(lost) == MAX_LOST
    assert {task.id: task.status for task in state.tasks.values()} == {"t0": "failed", "t1": "succeeded"}
    assert state.tasks["t0"].error.type == "runner_lost"
    assert state.status == "partial"


async def test_a_run_all_of_whose_tasks_kill_their_runners_fails_with_the_reason():
    state, _, _ = await conducted({"t0", "t1"})
    assert state.status == "failed"
    assert "runner died" in state.error.message
