"""A run, from plan to answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Any

from ai3ray.assembler.concat import concat
from ai3ray.assembler.port import Parts
from ai3ray.assembler.salvage import salvage
from ai3ray.assembler.strategies import assemble_in_code
from ai3ray.domain.assembly import Assembly
from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.error_info import error_info
from ai3ray.domain.events import (
    AssembleStart,
    Cancelled,
    Event,
    Final,
    PlanProgress,
    RunFailed,
    StatsEvent,
    TaskFailed,
    Warned,
)
from ai3ray.domain.money import dollars
from ai3ray.domain.plan import Task, TaskGraph, parse_graph
from ai3ray.domain.request import ContextText, RunRequest
from ai3ray.domain.result import run_stats
from ai3ray.domain.run import TASK_TERMINAL, RunState, TaskState, seconds_between
from ai3ray.errors import Ai3Error, BudgetSpent, RunError, RunnerLost
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.executor.port import AssembleJob, ConductorHost, Outcome, PlanJob, Ref, RunnerPool, TaskJob
from ai3ray.journal.port import Journal
from ai3ray.planner.template import template_plan
from ai3ray.prompts.task_prompt import context_of

log = logging.getLogger(__name__)

MAX_LOST = 3
"""Runners that a task may lose before it fails: it may be killing them."""
CANCEL_GRACE_S = 1.0
"""Seconds for calls to close their sockets."""


class RunStopped(RunError):
    """The run ends as failed, with `info`."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class Conductor:
    """Drives a run from its journaled state to its end."""

    def __init__(
        self,
        run_id: str,
        request: RunRequest,
        *,
        host: ConductorHost,
        journal: Journal,
        runner_pool: RunnerPool,
        models: ConfiguredModels,
    ) -> None:
        self._run_id = run_id
        self._request = request
        self._host = host
        self._journal = journal
        self._runner_pool = runner_pool
        self._models = models
        self._epoch = journal.meta(run_id).epoch
        self._refs: dict[str, Ref | Outcome] = {}
        self._outcomes: dict[str, asyncio.Task[Outcome]] = {}
        self._plan_or_assembly: Ref | None = None
        self._fence = token_hex(8)
        self._context_readers: Counter[tuple[str, ...]] = Counter()
        self.cancelled_by = "user"
        self.leave_open = False

    async def conduct(self) -> None:
        """Bring the run to its end; cancelling cancels the run."""
        try:
            async with asyncio.timeout(self._seconds_left()), self._host.slot():
                await self._run_phases()
        except TimeoutError:
            await self._stop_tasks()
            await self._end(Cancelled(by="deadline"))
        except asyncio.CancelledError:
            await self._stop_tasks()
            if not self.leave_open:
                await self._end(Cancelled(by=self.cancelled_by))
            raise
        except RunStopped as error:
            await self._end(RunFailed(error=error.info))
        except Ai3Error as error:
            await self._stop_tasks()
            await self._end(RunFailed(error=error_info(error)))
        except Exception as error:
            log.exception("run %s", self._run_id)
            await self._stop_tasks()
            await self._end(RunFailed(error=error_info(error)))

    def _seconds_left(self) -> float | None:
        if self._request.deadline_s is None:
            return None
        now = self._journal.now(self._run_id)  # the wall clock may be set during the run
        return self._request.deadline_s - (seconds_between(self._state.created_at, now) or 0.0)

    async def _run_phases(self) -> None:
        if self._state.terminal:  # killed between its terminal event and its stats
            await self._end()
            return
        graph = await self._plan()
        if self._state.purpose == "plan":
            await self._end(Final(status="succeeded", output=graph.model_dump_json()))
            return
        outcomes = await self._execute(graph)
        await self._finish(graph, outcomes)

    async def _plan(self) -> TaskGraph:
        state = self._state
        if state.graph is not None:
            return state.graph
        if self._request.plan is not None:
            graph = parse_graph(self._request.plan, max_tasks=self._request.max_tasks or 1)
            return self._record_plan(graph, source="file")
        self._put(PlanProgress(phase="started"))
        if not self._models.can_plan(self._request):
            return self._record_plan(template_plan(self._request), source="template")
        job = PlanJob(run_id=self._run_id, epoch=self._epoch, request=self._request)
        planned = await self._with_runner(lambda: self._runner_pool.start_plan(job))
        self._put(*planned.warnings)
        if planned.graph is None:
            raise RunStopped(planned.error or ErrorInfo(type="run", message="no plan could be made"))
        return self._record_plan(planned.graph, source=planned.source)

    def _record_plan(self, graph: TaskGraph, **fields: Any) -> TaskGraph:
        if self._state.purpose == "run":  # otherwise the plan is the run's output
            self._put(PlanProgress(phase="completed", plan=graph.model_dump(mode="json"), **fields))
        return graph

    async def _execute(self, graph: TaskGraph) -> dict[str, Outcome]:
        """Start all tasks at once; each waits for its dependencies only.

        A resumed run reuses outputs, and retries failed tasks unless it was assembling.
        """
        for task in graph.topological():
            done = self._state.tasks[task.id]
            if done.status == "succeeded" or self._state.status == "assembling":
                self._refs[task.id] = _journaled(done)
            else:
                deps = [self._refs[dep] for dep in task.depends_on]
                self._refs[task.id] = self._runner_pool.start_task(self._task_job(graph, task), deps)
        async with asyncio.TaskGroup() as group:
            for task in graph.topological():
                self._outcomes[task.id] = group.create_task(self._await_task(graph, task), name=f"task-{task.id}")
        return {task_id: outcome.result() for task_id, outcome in self._outcomes.items()}

    def _task_job(self, graph: TaskGraph, task: Task) -> TaskJob:
        titles = {other.id: other.title for other in graph.tasks}
        context = context_of(task, self._request)
        if not self._context_readers:
            self._context_readers.update(_names(context_of(other, self._request)) for other in graph.tasks)
        return TaskJob(
            run_id=self._run_id,
            epoch=self._epoch,
            task=task,
            titles=titles,
            fence=self._fence,
            shares=self._context_readers[_names(context)] > 1,
            request=self._lean_request().model_copy(update={"context": context}),
        )

    async def _await_task(self, graph: TaskGraph, task: Task) -> Outcome:
        """Restart the task when its runner, or a dependency's, dies."""
        lost = 0
        while True:
            ref = self._refs[task.id]
            if isinstance(ref, Outcome):
                return ref
            try:
                outcome: Outcome = await ref
            except RunnerLost as error:
                lost += 1
                self._host.runner_lost(self._run_id, task.id)
                deps = [await asyncio.shield(self._outcomes[dep]) for dep in task.depends_on]
                if self._state.tasks[task.id].status not in TASK_TERMINAL and lost == MAX_LOST:
                    self._put(TaskFailed(task_id=task.id, error=error_info(error)))
                if self._state.tasks[task.id].status in TASK_TERMINAL:
                    return _journaled(self._state.tasks[task.id])
                self._refs[task.id] = self._runner_pool.start_task(self._task_job(graph, task), deps)
            else:  # a committed artifact is the task's answer, whatever a runner reports
                state = self._state.tasks[task.id]
                return _journaled(state) if state.status in TASK_TERMINAL else outcome

    async def _finish(self, graph: TaskGraph, outcomes: dict[str, Outcome]) -> None:
        outputs = {task_id: outcome.text for task_id, outcome in outcomes.items() if outcome.status == "succeeded"}
        holes = {
            task_id: outcome.error.message if outcome.error else outcome.status
            for task_id, outcome in outcomes.items()
            if task_id not in outputs
        }
        assembly = self._request.assembly or graph.assembly
        errors = (outcomes[task.id].error for task in graph.topological())
        unpaid = next((error for error in errors if error is not None and error.type == BudgetSpent.type), None)
        if unpaid is not None:
            await self._fail_with_salvage(unpaid, salvage(Parts(graph, outputs, holes), assembly), holes)
            return
        if not any(task.id in outputs for task in graph.sinks()):
            raise RunStopped(_first_failure(graph, outcomes))
        if self._state.status == "running":
            self._put(AssembleStart(assembly=assembly, holes=tuple(holes)))
        output = await self._assemble(graph, assembly, outputs, holes)
        budget, cost = self._request.budget_usd, run_stats(self._state).cost_usd
        if budget is not None and cost > budget:
            message = f"the last call cost more than the budget had left: {dollars(cost)} of {dollars(budget)} is spent"
            self._put(Warned(code="over_budget", message=message))
        await self._end(Final(status="partial" if holes else "succeeded", output=self._with_embedded_note(output)))

    async def _fail_with_salvage(self, error: ErrorInfo, output: str | None, holes: dict[str, str]) -> None:
        if output is not None:
            if self._state.status == "running":
                self._put(AssembleStart(assembly="concat", holes=tuple(holes)))
            output = self._with_embedded_note(output)
        await self._end(RunFailed(error=error, output=output))

    async def _assemble(
        self, graph: TaskGraph, assembly: Assembly, outputs: dict[str, str], holes: dict[str, str]
    ) -> str:
        parts = Parts(graph, outputs, holes, self._request.prompt)
        answer = assemble_in_code(assembly, parts)
        if answer is not None:
            return answer
        job = AssembleJob(
            run_id=self._run_id,
            epoch=self._epoch,
            assembly=assembly,
            graph=graph,
            request=self._lean_request(),
            outputs={task.id: outputs[task.id] for task in graph.sinks() if task.id in outputs},
            holes=holes,
        )
        assembled = await self._with_runner(lambda: self._runner_pool.start_assembly(job))
        if assembled.error is None:
            return str(assembled.text)
        message = f"the outputs are joined as they are: {assembled.error.message}"
        self._put(Warned(code="synthesis_fallback", message=message))
        return concat(parts)

    def _with_embedded_note(self, output: str) -> str:
        embedded = self._models.embedded(self._state)
        if not embedded:
            return output
        warning = self._models.warning(embedded)
        if warning.message not in self._state.warnings:
            self._put(warning)
        if output.lstrip()[:1] in ("{", "["):
            return output
        return f"{output.rstrip()}\n\n{self._models.note(embedded, self._state.plan_source)}"

    async def _end(self, *terminal: Event) -> None:
        """Write terminal event and stats if missing; return once they are durable."""
        if not self._state.terminal:
            self._put(*terminal)
        stats = [] if self._state.complete else [StatsEvent.of(run_stats(self._state))]
        await self._journal.put(self._run_id, stats).committed()

    async def _stop_tasks(self) -> None:
        self._host.stop_run(self._run_id)
        refs = [*self._refs.values()]
        if self._plan_or_assembly is not None:
            refs.append(self._plan_or_assembly)
        waiting = {asyncio.ensure_future(_settled(ref)): ref for ref in refs if not isinstance(ref, Outcome)}
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=CANCEL_GRACE_S)
            for task in late:  # cancelled only now: a second cancellation can interrupt the closing of a socket
                waiting[task].cancel()
                task.cancel()

    async def _with_runner(self, start: Callable[[], Ref]) -> Any:
        """Restart a plan or assembly when its runner dies."""
        for attempt in range(1, MAX_LOST + 1):
            self._plan_or_assembly = start()
            try:
                return await self._plan_or_assembly
            except RunnerLost:
                self._host.runner_lost(self._run_id, None)
                if attempt == MAX_LOST:
                    raise
        raise AssertionError("unreachable")

    def _lean_request(self) -> RunRequest:
        return self._request.model_copy(update={"plan": {} if self._request.plan else None, "context": ()})

    def _put(self, *events: Event) -> None:
        if events:
            self._journal.put(self._run_id, events)

    @property
    def _state(self) -> RunState:
        return self._journal.state(self._run_id)


def _names(texts: Sequence[ContextText]) -> tuple[str, ...]:
    return tuple(text.name for text in texts)


def _journaled(task: TaskState) -> Outcome:
    assert task.status not in {"pending", "running"}
    return Outcome(task_id=task.id, status=task.status, text=task.output or "", error=task.error)


async def _settled(ref: Ref) -> None:
    with contextlib.suppress(RunnerLost, asyncio.CancelledError):
        await ref


def _first_failure(graph: TaskGraph, outcomes: dict[str, Outcome]) -> ErrorInfo:
    failed: Sequence[tuple[Task, ErrorInfo]] = [
        (task, error)
        for task in graph.topological()
        if (error := outcomes[task.id].error) is not None and outcomes[task.id].status == "failed"
    ]
    if not failed:
        return ErrorInfo(type="run", message="no task has an answer")
    task, error = failed[0]
    return error.model_copy(update={"message": f"task {task.id!r}: {error.message}"})
