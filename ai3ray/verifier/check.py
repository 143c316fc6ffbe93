"""The rules in order, and their verdict."""

from __future__ import annotations

from collections.abc import Sequence

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.errors import PlanError
from ai3ray.verifier.clean import clean_output, wants_json
from ai3ray.verifier.code import check_code
from ai3ray.verifier.compiling import CodeJob, code_to_compile
from ai3ray.verifier.port import Rule
from ai3ray.verifier.rules.complete import complete
from ai3ray.verifier.rules.cut_off import cut_off
from ai3ray.verifier.rules.form import form
from ai3ray.verifier.rules.json_schema import json_schema, risky, schema_problem
from ai3ray.verifier.rules.language import language
from ai3ray.verifier.rules.leak import leak
from ai3ray.verifier.rules.length import length
from ai3ray.verifier.rules.must_include import must_include
from ai3ray.verifier.rules.non_empty import non_empty
from ai3ray.verifier.rules.parts import parts
from ai3ray.verifier.rules.placeholder import placeholder
from ai3ray.verifier.rules.refusal import refusal
from ai3ray.verifier.rules.remark import remark
from ai3ray.verifier.rules.repetition import repetition

__all__ = [
    "ALWAYS",
    "CONTENT",
    "CodeJob",
    "check",
    "check_with_code",
    "clean_output",
    "code_to_compile",
    "is_heavy",
    "joined",
    "needs_isolation",
    "refuse_bad_schemas",
]

ALWAYS: tuple[Rule, ...] = (complete, non_empty)
"""Applied to every answer, even with `verify: false`."""
CONTENT: tuple[Rule, ...] = (
    refusal,
    form,
    json_schema,
    must_include,
    length,
    parts,
    language,
    repetition,
    placeholder,
    leak,
    remark,
    cut_off,
)
"""Applied to answers that pass ALWAYS, unless the request drops the content checks."""

MAX_JSON_HERE = 64 * 1024
"""Bytes of JSON that are parsed in the process of the model calls."""


def check(task: Task, reply: Reply, *, content: bool) -> Verdict:
    """Apply the rules to an answer; `content=False` leaves only those of ALWAYS. Pure and picklable."""
    cleaned = reply.model_copy(update={"text": clean_output(task, reply.text)})
    defects = _defects(ALWAYS, task, cleaned)
    if content and not defects:
        defects = _defects(CONTENT, task, cleaned)
    return Verdict(passed=not defects, score=0.0 if defects else 1.0, defects=defects)


def check_with_code(task: Task, reply: Reply) -> Verdict:
    """Apply all rules and compilers, in a process that may be lost."""
    verdict = check(task, reply, content=True)
    job = code_to_compile(task, reply.text)
    return joined(verdict, check_code(*job)) if job else verdict


def joined(verdict: Verdict, defects: Sequence[Defect]) -> Verdict:
    """Add defects to a verdict."""
    if not defects:
        return verdict
    return verdict.model_copy(update={"passed": False, "score": 0.0, "defects": (*verdict.defects, *defects)})


def needs_isolation(task: Task, text: str) -> bool:
    """Return True if checks of an answer need another process."""
    return is_heavy(task, text) or code_to_compile(task, text) is not None


def is_heavy(task: Task, text: str) -> bool:
    """Return True if the rules may take long."""
    if not wants_json(task):
        return False
    schema = task.checks.json_schema if task.checks else None
    return len(text.encode(errors="replace")) > MAX_JSON_HERE or (schema is not None and risky(schema))


def refuse_bad_schemas(graph: TaskGraph) -> None:
    """Check a plan file's schemas before any call is paid.

    Raises:
        PlanError: a task's `checks.json_schema` is not a JSON Schema.
    """
    for task in graph.tasks:
        if task.checks is not None and task.checks.json_schema is not None:
            problem = schema_problem(task.checks.json_schema)
            if problem:
                raise PlanError(f"task {task.id!r}: checks.json_schema: {problem}", "plan")


def _defects(rules: Sequence[Rule], task: Task, reply: Reply) -> tuple[Defect, ...]:
    return tuple(defect for rule in rules for defect in rule(task, reply))
