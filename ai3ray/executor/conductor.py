"""A run, top to bottom: plan, execute, assemble, finish. It goes on from where the journal says the run is."""

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
"""Runners that one task or plan may lose before it fails: a task that kills its runner is poison."""
CANCEL_GRACE_S = 1.0
"""Seconds that calls in flight get to close their sockets before the run is called cancelled."""


class RunStopped(RunError):
    """The run ends as failed; `info` is what its `error` event says."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


class Conductor:
    """The driver of one accepted run, from where the journal says it is to its end.

    The run's epoch at construction is carried by everything written for it.
    """

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
        """Bring the run to its terminal event and its stats. Cancelling this cancels the run."""
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
        """Count from the run's acceptance to its deadline; time spent queued, or without a core, counts too."""
        if self._request.deadline_s is None:
            return None
        now = self._journal.now(self._run_id)  # not the wall clock's, which may be set meanwhile
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
        """Return the journaled graph, else the caller's, else a new one from template or planner."""
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
        if self._state.purpose == "run":  # otherwise the plan is the output, and no task comes into being
            self._put(PlanProgress(phase="completed", plan=graph.model_dump(mode="json"), **fields))
        return graph

    async def _execute(self, graph: TaskGraph) -> dict[str, Outcome]:
        """Start every task at once; each begins when its own dependencies are there. No barrier.

        A resumed run passes committed outputs on by value, and tries failed tasks again unless it was assembling.
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

    async def _await_task(self, graph: TaskGraph, task: Task) -> Outcome:
        """Wait for a task's end; start it again when its runner or a dependency's dies."""
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
        """Make one answer of the outputs, and name its holes."""
        outputs = {task_id: outcome.text for task_id, outcome in outcomes.items() if outcome.status == "succeeded"}
        holes = {
            task_id: outcome.error.message if outcome.error else outcome.status
            for task_id, outcome in outcomes.items()
            if task_id not in outputs
        }
        assembly = self._request.assembly or graph.assembly
        budget_error = _budget_error(graph, outcomes)
        if budget_error is not None:
            await self._fail_with_salvage(budget_error, salvage(Parts(graph, outputs, holes), assembly), holes)
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
        await self._end(Final(status="partial" if holes else "succeeded", output=self._with_demo_note(output)))

    async def _fail_with_salvage(self, error: ErrorInfo, output: str | None, holes: dict[str, str]) -> None:
        """End the run as failed, with the output that there is."""
        if output is not None:
            if self._state.status == "running":
                self._put(AssembleStart(assembly="concat", holes=tuple(holes)))
            output = self._with_demo_note(output)
        await self._end(RunFailed(error=error, output=output))

    async def _assemble(
        self, graph: TaskGraph, assembly: Assembly, outputs: dict[str, str], holes: dict[str, str]
    ) -> str:
        """Merge the outputs into one text; where the model fails that should, join them and warn."""
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

    def _with_demo_note(self, output: str) -> str:
        """Append a note if a demo model wrote any of the answer; JSON has no place for such a line."""
        demos = self._models.demos(self._state)
        if not demos:
            return output
        warning = self._models.warning(demos)
        if warning.message not in self._state.warnings:
            self._put(warning)
        if output.lstrip()[:1] in ("{", "["):
            return output
        return f"{output.rstrip()}\n\n{self._models.note(demos, self._state.plan_source)}"

    async def _end(self, *terminal: Event) -> None:
        """Write the terminal event, unless there is one, and the stats; return when both are durable."""
        if not self._state.terminal:
            self._put(*terminal)
        stats = [] if self._state.complete else [StatsEvent.of(run_stats(self._state))]
        await self._journal.put(self._run_id, stats).committed()

    async def _stop_tasks(self) -> None:
        """Begin nothing more, and close the calls in flight.

        A second cancellation could cut short the closing of a socket, so only late work gets one.
        """
        self._host.stop_run(self._run_id)
        refs = [*self._refs.values()]
        if self._plan_or_assembly is not None:
            refs.append(self._plan_or_assembly)
        waiting = {asyncio.ensure_future(_settled(ref)): ref for ref in refs if not isinstance(ref, Outcome)}
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=CANCEL_GRACE_S)
            for task in late:
                waiting[task].cancel()
                task.cancel()

    async def _with_runner(self, start: Callable[[], Ref]) -> Any:
        """Plan or assemble; start again when the runner dies."""
        for attempt in range(1, MAX_LOST + 1):
            self._plan_or_assembly = start()
            try:
                return await self._plan_or_assembly
            except RunnerLost:
                self._host.runner_lost(self._run_id, None)
                if attempt == MAX_LOST:
                    raise
        raise AssertionError("unreachable")

    def _task_job(self, graph: TaskGraph, task: Task) -> TaskJob:
        titles = {other.id: other.title for other in graph.tasks}
        context = context_of(task, self._request)  # only the texts that the task reads
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

    def _lean_request(self) -> RunRequest:
        """Return the request without its siblings' prompts: with an empty plan, if it came with one."""
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
    """Return the outcome of a task that has ended by the journal."""
    assert task.status not in {"pending", "running"}
    return Outcome(task_id=task.id, status=task.status, text=task.output or "", error=task.error)


async def _settled(ref: Ref) -> None:
    with contextlib.suppress(RunnerLost, asyncio.CancelledError):
        await ref


def _budget_error(graph: TaskGraph, outcomes: dict[str, Outcome]) -> ErrorInfo | None:
    """Return the error of the first task that the budget did not cover, if any."""
    errors = (outcomes[task.id].error for task in graph.topological())
    return next((error for error in errors if error is not None and error.type == BudgetSpent.type), None)


def _first_failure(graph: TaskGraph, outcomes: dict[str, Outcome]) -> ErrorInfo:
    """Return the error of the first task that failed by itself."""
    failed: Sequence[tuple[Task, ErrorInfo]] = [
        (task, error)
        for task in graph.topological()
        if (error := outcomes[task.id].error) is not None and outcomes[task.id].status == "failed"
    ]
    if not failed:
        return ErrorInfo(type="run", message="no task has an answer")
    task, error = failed[0]
    return error.model_copy(update={"message": f"task {task.id!r}: {error.message}"})
