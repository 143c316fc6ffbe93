"""A task, from prompt to commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from secrets import token_hex

from ai3ray.assembler.port import Parts
from ai3ray.assembler.strategies import STRATEGIES
from ai3ray.domain.artifact import artifact_id
from ai3ray.domain.call import ErrorInfo, Reply
from ai3ray.domain.error_info import error_info
from ai3ray.domain.events import (
    Event,
    TaskArtifact,
    TaskFailed,
    TaskRepaired,
    TaskRetry,
    TaskSkipped,
    TaskVerified,
    TextDelta,
    Warned,
)
from ai3ray.domain.ids import new_id
from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.plan import Task
from ai3ray.domain.tokens import estimated_tokens
from ai3ray.domain.verdict import Verdict
from ai3ray.errors import Ai3Error, AnswerRejected, ProviderError
from ai3ray.executor.caller import Caller, LeasedReply, OnFailure
from ai3ray.executor.core_client import CoreClient, EntriesRefused, LeaseRefused
from ai3ray.executor.port import Assembled, AssembleJob, Entries, Outcome, PlanJob, Planned, TaskJob
from ai3ray.executor.running_work import RunningWork
from ai3ray.planner.planner import PlannerSettings, make_plan
from ai3ray.prompts.asking import Answered, Ask, drive
from ai3ray.prompts.task_prompt import Repair, build_task_prompt
from ai3ray.providers.port import OnText
from ai3ray.verifier.check import check, needs_isolation
from ai3ray.verifier.clean import clean_output
from ai3ray.verifier.isolation import Isolation
from ai3ray.verifier.judge import judge
from ai3ray.verifier.repair import Assessed, RepairAttempt, improve

log = logging.getLogger(__name__)

TASK_OUTPUT_TOKENS = 4096
"""An answer's cap, doubled once if it is cut off."""


class Runner:
    """Does tasks, plans and assemblies; makes every model call."""

    def __init__(self, core_client: CoreClient, caller: Caller, isolation: Isolation, planner: PlannerSettings) -> None:
        self._core_client = core_client
        self._caller = caller
        self._isolation = isolation
        self._planner = planner
        self._running_work = RunningWork()

    async def run_task(self, job: TaskJob, *deps: Outcome) -> Outcome:
        """Do a task after `deps` (as in `task.depends_on`); only cancellation raises."""
        with self._running_work.of(job.run_id):
            missing = next((dep for dep in deps if dep.status != "succeeded"), None)
            try:
                if missing is not None:
                    await self._put(job, TaskSkipped(task_id=job.task.id, because=missing.task_id))
                    return Outcome(task_id=job.task.id, status="skipped", error=missing.error)
                text = await self._answer(job, deps)
            except EntriesRefused as error:  # the run has ended, or another runner has done the task
                return Outcome(task_id=job.task.id, status="cancelled", error=error_info(error))
            except Ai3Error as error:
                return await self._failed(job, _info(error))
            except Exception as error:
                log.exception("task %s of %s", job.task.id, job.run_id)
                return await self._failed(job, error_info(error))
            return Outcome(task_id=job.task.id, status="succeeded", text=text)

    async def _answer(self, job: TaskJob, deps: Sequence[Outcome]) -> str:
        committed: list[str] = []
        rejected: list[tuple[Assessed, AnswerRejected]] = []

        async def act(step: RepairAttempt) -> Assessed:
            if rejected:
                verified = TaskVerified(task_id=job.task.id, verdict=rejected[-1][0].verdict)
                await self._put(job, verified, _next(job, step, rejected[-1][1]))
            try:
                answer = await self._attempt(job, deps, step)
            except (ProviderError, LeaseRefused) as error:
                if not rejected:
                    raise
                assessed, rejection = rejected[-1]
                if step.author is None:
                    if isinstance(error, LeaseRefused) and error.over_budget:
                        raise  # a repair is possible, but not paid for
                    raise rejection from None
                return replace(assessed, truncated=False, repairable=False)  # its author is out of reach
            assessed = await self._assess(job, answer)
            if assessed.verdict.passed:
                committed.append(await self._commit(job, answer, assessed.verdict))
            else:
                rejected.append((assessed, AnswerRejected(f"{assessed.model}: {_first_problem(assessed.verdict)}")))
            return assessed

        await drive(improve(job.request.repair_limit or 0), act)
        if committed:
            return committed[0]
        assessed, rejection = rejected[-1]
        await self._put(job, TaskVerified(task_id=job.task.id, verdict=assessed.verdict))
        raise rejection

    async def _attempt(self, job: TaskJob, deps: Sequence[Outcome], step: RepairAttempt) -> LeasedReply:
        task = job.task
        prompt = build_task_prompt(
            task,
            titles=job.titles,
            deps=[(dep.task_id, dep.text) for dep in deps],
            request=job.request,
            max_output_tokens=TASK_OUTPUT_TOKENS * step.cap_factor,
            fence=job.fence,
            shared_context=job.shares,
            repair=Repair(answer=step.answer, defects=step.defects) if step.role == "repair" else None,
        )
        ask = Ask(
            prompt,
            role=step.role,
            kind=task.kind,
            tier=task.tier,
            models=(step.author,) if step.author else None,
            exclude=tuple(sorted(step.exclude)),
            structured=prompt.json_schema is not None,
        )

        def on_text(text: str) -> None:
            self._core_client.delta(TextDelta(type="task_delta", run_id=job.run_id, task_id=task.id, text=text))

        async def on_failure(error: ProviderError) -> None:
            wait_s = error.retry_after_s or 0.0
            await self._put(job, TaskRetry(task_id=task.id, error=error_info(error), wait_s=wait_s, next_model=None))

        return await self._call(job, ask, task_id=task.id, on_text=on_text, on_failure=on_failure)

    async def _assess(self, job: TaskJob, answer: LeasedReply) -> Assessed:
        reply, author = answer.reply, answer.lease.model
        content = job.request.verify is not False
        if content and needs_isolation(job.task, reply.text):
            verdict = await self._isolation.check(job.task, reply)
        else:
            verdict = check(job.task, reply, content=content)
        if content and verdict.passed:
            verdict = await self._judge(job, reply, author) or verdict
        refused = reply.finish == "refusal" or not reply.text.strip()
        return Assessed(
            model=author,
            text=reply.text,
            verdict=verdict,
            truncated=reply.finish == "length",
            repairable=not refused,
        )

    async def _judge(self, job: TaskJob, reply: Reply, author: str) -> Verdict | None:
        """Return another model's verdict; None leaves the rules' verdict, with a warning."""

        async def act(ask: Ask) -> Answered:
            return _answered(await self._call(job, ask, task_id=job.task.id))

        answer = clean_output(job.task, reply.text)
        try:
            return await drive(judge(job.task, answer, author=author, fence=token_hex(8)), act)
        except LeaseRefused as error:
            if error.over_budget:
                await self._warn_once(job, "judge_unpaid", f"answers are checked by rules alone: {error}")
            else:
                await self._warn_once(
                    job, "judge_skipped", "answers are not judged: the only available model is their author"
                )
        except ProviderError as error:
            await self._warn_once(
                job, "judge_failed", f"the judge failed, so an answer was checked by rules alone: {error}"
            )
        return None

    async def _warn_once(self, job: TaskJob, code: str, message: str) -> None:
        warned = Warned(code=code, message=message)
        key = f"{job.run_id}/{code}"  # the journal accepts each key once
        await self._core_client.put(Entries(run_id=job.run_id, epoch=job.epoch, key=key, events=(warned,)))

    async def _commit(self, job: TaskJob, answer: LeasedReply, verdict: Verdict) -> str:
        text = clean_output(job.task, answer.reply.text)
        artifact = TaskArtifact(
            task_id=job.task.id,
            artifact=artifact_id(text),
            text=text,
            model=answer.lease.model,
            usage=answer.reply.usage,
            cost_usd=answer.cost_usd,
        )
        verified = [TaskVerified(task_id=job.task.id, verdict=verdict)] if job.request.verify is not False else []
        await self._put(job, *verified, artifact)
        return text

    async def _failed(self, job: TaskJob, info: ErrorInfo) -> Outcome:
        try:
            await self._put(job, TaskFailed(task_id=job.task.id, error=info))
        except Ai3Error as error:  # the run has ended, or the core is gone
            log.warning("task %s of %s: %s", job.task.id, job.run_id, error)
        return Outcome(task_id=job.task.id, status="failed", error=info)

    async def plan(self, job: PlanJob) -> Planned:
        """Plan a run; only cancellation raises."""

        async def act(ask: Ask) -> Answered:
            return _answered(await self._call(job, ask))

        with self._running_work.of(job.run_id):
            try:
                made = await drive(make_plan(job.request, self._planner), act)
            except Ai3Error as error:
                return Planned(error=_info(error))
            return Planned(graph=made.graph, source=made.source, warnings=made.warnings)

    async def assemble(self, job: AssembleJob) -> Assembled:
        """Merge the outputs; a cut-off, refused or empty reply is an error."""
        whole = Task(id="answer", title="answer", prompt=job.request.prompt or "answer", output="markdown")

        def on_text(text: str) -> None:
            self._core_client.delta(TextDelta(type="assemble_delta", run_id=job.run_id, text=text))

        async def act(ask: Ask) -> Answered:
            answer = await self._call(job, ask, on_text=on_text)
            await self._core_client.flush()  # the last piece has to precede the run's end
            verdict = check(whole, answer.reply, content=False)
            if not verdict.passed:
                raise AnswerRejected(_first_problem(verdict))
            return _answered(answer)

        with self._running_work.of(job.run_id):
            parts = Parts(job.graph, job.outputs, job.holes, job.request.prompt, token_hex(8))
            try:
                return Assembled(text=await drive(STRATEGIES[job.assembly].assemble(parts), act))
            except Ai3Error as error:
                return Assembled(error=_info(error))

    def stop_run(self, run_id: str) -> None:
        """Cancel the run's work, now and later."""
        self._running_work.stop(run_id)

    async def _call(
        self,
        job: TaskJob | PlanJob | AssembleJob,
        ask: Ask,
        *,
        task_id: str | None = None,
        on_text: OnText | None = None,
        on_failure: OnFailure | None = None,
    ) -> LeasedReply:
        request, prompt = job.request, ask.prompt
        lease_request = LeaseRequest(
            request_id="",
            run_id=job.run_id,
            epoch=job.epoch,
            task_id=task_id,
            role=ask.role,
            n=ask.n,
            kind=ask.kind,
            tier=ask.tier,
            models=request.models if ask.models is None else ask.models,
            exclude=ask.exclude,
            input_tokens=estimated_tokens(len(prompt.system) + sum(len(message.text) for message in prompt.messages)),
            max_output_tokens=prompt.max_output_tokens,
            structured=ask.structured,
            plans=ask.plans,
            run_class=request.run_class,
            run_limit=request.max_concurrency or 1,
            budget_usd=request.budget_usd,
            stretch=ask.stretch,
        )
        return await self._caller.ask(lease_request, prompt, first=ask.first, on_text=on_text, on_failure=on_failure)

    async def _put(self, job: TaskJob, *events: Event) -> None:
        await self._core_client.put(Entries(run_id=job.run_id, epoch=job.epoch, key=new_id("put"), events=events))


def _answered(answer: LeasedReply) -> Answered:
    return Answered(answer.reply, answer.lease.model)


def _info(error: Ai3Error) -> ErrorInfo:
    return error.info if isinstance(error, LeaseRefused) else error_info(error)


def _next(job: TaskJob, step: RepairAttempt, rejection: AnswerRejected) -> Event:
    """Return the event between a rejection and `step`."""
    if step.role == "repair":
        return TaskRepaired(task_id=job.task.id, defects=step.defects, attempt=step.n)
    return TaskRetry(task_id=job.task.id, error=error_info(rejection), wait_s=0.0, next_model=step.author)


def _first_problem(verdict: Verdict) -> str:
    return "; ".join(f"{defect.part}: {defect.problem}" for defect in verdict.defects[:2]) or "rejected"
