"""Finds the task graph in a model's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from ai3ray.domain.plan import Kind, OutputFormat, TaskGraph, Tier, parse_graph
from ai3ray.errors import PlanError

MAX_STARTS = 200
"""Places in a reply where JSON is looked for; each failed attempt costs its length."""

_OBJECT_OR_LIST = re.compile(r"[{\[]")
_OBJECT = re.compile(r"{")
# Unclosed strings match too, so that the search does not read the rest again from each quotation mark.
_STRING_OR_COMMA = re.compile(r'"(?:\\.|[^"\\])*"?|,(?=\s*[}\]])', re.DOTALL)
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "output": get_args(OutputFormat),
    "tier": get_args(Tier),
}
# Line breaks inside strings are accepted; NaN and Infinity, which JSON does not have, read as null.
_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


def read_plan(text: str, *, max_tasks: int) -> TaskGraph:
    """Return the first valid task graph in the text: bare, fenced, or with prose around it.

    Args:
        text: a model's reply.
        max_tasks: the most tasks allowed.

    Raises:
        PlanError: there is none; names the problem of the first candidate.
    """
    wrong: PlanError | None = None
    for found in _plans(text):
        try:
            return parse_graph(found, max_tasks=max_tasks)
        except PlanError as error:
            wrong = wrong or error
    raise wrong or PlanError(_why_none(text), "plan")


def _plans(text: str) -> Iterator[Mapping[str, Any]]:
    for version in (text, _STRING_OR_COMMA.sub(lambda hit: "" if hit[0] == "," else hit[0], text)):
        for value in _json_values(version):
            yield from _plans_in(value)


def _json_values(text: str) -> Iterator[Any]:
    """Yield the outermost objects and lists; after a broken object only objects: lists may be parts of it."""
    position = 0
    openings = _OBJECT_OR_LIST
    for _ in range(MAX_STARTS):
        opening = openings.search(text, position)
        if opening is None:
            return
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            position = opening.end()
            openings = _OBJECT if opening[0] == "{" else openings
        else:
            yield value


def _plans_in(value: Any, depth: int = 2) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict) and "tasks" in value:
        yield _softened(value)
    elif isinstance(value, list) and value and all(isinstance(item, dict) and "prompt" in item for item in value):
        yield _softened({"tasks": value})
    elif depth and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _plans_in(inner, depth - 1)


def _softened(plan: dict[str, Any]) -> Mapping[str, Any]:
    """Drop wrong choices, which are not worth a second call, and checks, which only plan files may set."""
    tasks = plan["tasks"]
    if not isinstance(tasks, list):
        return plan
    return {**plan, "tasks": [_softened_task(task) if isinstance(task, dict) else task for task in tasks]}


def _softened_task(task: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in task.items()
        if name != "checks" and (name not in _CHOICES or value in _CHOICES[name])
    }


def _why_none(text: str) -> str:
    if not text.strip():
        return "the reply is empty"
    opening = text.find("{")
    if opening < 0:
        return "the reply holds no JSON object"
    try:
        _DECODER.raw_decode(text, opening)
    except RecursionError:
        return "the JSON is nested too deeply"
    except ValueError as error:
        return f"the reply is not valid JSON: {error}"
    return "the reply holds no JSON object with a list 'tasks'"
