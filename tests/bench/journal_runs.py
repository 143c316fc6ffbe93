"""Runs as a journal gets them from the engine, with 21 candidates a decision and answers that hardly compress."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from random import Random
from typing import Any

from ai3ray.domain.artifact import artifact_id
from ai3ray.domain.call import Attempt, Role, Usage
from ai3ray.domain.events import (
    AssembleStart,
    Candidate,
    Decision,
    Final,
    PlanProgress,
    RunStart,
    TaskArtifact,
    TaskStart,
    TaskVerified,
)
from ai3ray.domain.verdict import Verdict
from tests.journal.histories import ENDED, Step

MODELS = [f"{('anthropic', 'openai', 'xai')[n % 3]}/model-{n // 3}.{n % 3}-{'abcdefg'[n % 7] * 4}" for n in range(21)]
KINDS = ("writing", "analysis", "coding", "other")
STARTED_AT = "2026-11-22T10:00:00.500Z"


def realistic_run(rng: Random, run_id: str, tasks: int) -> Iterator[Step]:
    """One run that succeeds: planned, each task answered and judged at once, all answers joined in the end."""
    names = [f"part{n}" for n in range(tasks)]
    yield Step((RunStart(request={"prompt": text(rng, 80), "max_concurrency": 5, "verify": True, "context": []}),))
    yield Step((PlanProgress(phase="started"),))
    yield from _call(rng, run_id, None, "plan")
    yield Step((_planned(rng, names),))
    answers = []
    for name in names:
        yield from _call(rng, run_id, name, "task")
        yield from _call(rng, run_id, name, "judge")
        answers.append(text(rng, rng.randint(2000, 4000)))
        yield Step((_verified(rng, name), _answered(rng, name, answers[-1])))
    yield Step((AssembleStart(assembly="concat", holes=()),))
    yield Step((Final(status="succeeded", output="\n\n".join(answers)), ENDED))


def interleaved(rng: Random, runs: int, tasks: int, width: int, name: str = "run") -> Iterator[tuple[str, Step]]:
    """The steps of many runs, `width` of them beside each other."""
    waiting = iter([f"{name}_{number:022}" for number in range(runs)])
    going: dict[str, Iterator[Step]] = {}
    while True:
        while len(going) < width and (run_id := next(waiting, None)):
            going[run_id] = realistic_run(rng, run_id, tasks)
        if not going:
            return
        for run_id, steps in list(going.items()):
            step = next(steps, None)
            if step is None:
                del going[run_id]
            else:
                yield run_id, step


def text(rng: Random, chars: int) -> str:
    """Lines of words that nobody has seen: six random bits in each character."""
    noise = base64.b64encode(rng.randbytes(chars * 3 // 4)).decode()
    words = [noise[at : at + 7] for at in range(0, len(noise), 7)]
    return "## Part\n\n" + "\n".join(" ".join(words[at : at + 11]) for at in range(0, len(words), 11))


def _call(rng: Random, run_id: str, task_id: str | None, role: Role) -> Iterator[Step]:
    """A model call: its decision and its beginning, then its end."""
    call_id = f"att_{base64.b32encode(rng.randbytes(13)).decode().lower()[:22]}"
    decision = _decision(rng, task_id, call_id, role)
    begun: dict[str, Any] = {
        "run_id": run_id,
        "task_id": task_id,
        "attempt_id": call_id,
        "role": role,
        "n": 1,
        "provider": decision.provider,
        "model": decision.model,
        "started_at": STARTED_AT,
    }
    ended = {
        "input_tokens": rng.randint(100, 3000),
        "output_tokens": rng.randint(50, 1500),
        "cost_usd": rng.uniform(0, 0.02),
        "seconds": rng.uniform(0.2, 9),
        "first_token_s": rng.uniform(0.1, 2),
        "request_id": f"req_{rng.randbytes(12).hex()}",
    }
    start = [TaskStart(task_id=task_id, attempt_id=call_id, model=decision.model)] if role == "task" else []
    yield Step((decision, *start), (Attempt(**begun, status="started"),))
    yield Step((), (Attempt(**begun, **ended, status="succeeded"),))


def _decision(rng: Random, task_id: str | None, call_id: str, role: Role) -> Decision:
    seen = [Candidate(model=model, score=round(rng.uniform(3, 5), 4), terms=_terms(rng)) for model in MODELS]
    seen.sort(key=lambda candidate: -candidate.score)
    best = seen[0].model
    provider = best.partition("/")[0]
    return Decision(
        task_id=task_id, attempt_id=call_id, role=role, model=best, provider=provider, candidates=tuple(seen)
    )


def _terms(rng: Random) -> dict[str, float]:
    return {
        "quality": round(rng.uniform(1.2, 2), 2),
        "tier": rng.choice([1.0, 0.6]),
        "success": round(rng.uniform(1.3, 1.45), 4),
        "latency": round(rng.uniform(0, 0.3), 4),
        "cost": round(rng.uniform(0, 0.4), 4),
        "load": rng.choice([0.1, 0.0667, 0.05, 0.04]),
    }


def _planned(rng: Random, names: list[str]) -> PlanProgress:
    tasks = [
        {"id": name, "title": f"Title of {name}", "prompt": text(rng, 120), "kind": rng.choice(KINDS), "depends_on": []}
        for name in names
    ]
    return PlanProgress(phase="completed", plan={"tasks": tasks, "assembly": "concat"}, source="model")


def _verified(rng: Random, task_id: str) -> TaskVerified:
    return TaskVerified(task_id=task_id, verdict=Verdict(passed=True, score=rng.random(), by=rng.choice(MODELS)))


def _answered(rng: Random, task_id: str, answer: str) -> TaskArtifact:
    usage = Usage(input_tokens=rng.randint(100, 3000), output_tokens=rng.randint(10, 1000))
    return TaskArtifact(
        task_id=task_id,
        artifact=artifact_id(answer),
        text=answer,
        model=rng.choice(MODELS),
        usage=usage,
        cost_usd=rng.uniform(0, 0.02),
    )
