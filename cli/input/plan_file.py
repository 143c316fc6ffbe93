"""`--plan FILE`: a task graph in JSON, with errors that name the place."""

from __future__ import annotations

import json

from ai3ray.domain.plan import TaskGraph, parse_graph
from ai3ray.errors import PlanError

from .text_input import display_name, read_text


def read_plan(name: str, *, max_tasks: int) -> TaskGraph:
    """Return the checked graph of a plan file, or of stdin for `-`.

    Raises:
        UsageError: it cannot be read.
        PlanError: not JSON (with line and column) or not a task graph (with the task).
    """
    shown = display_name(name)
    text = read_text(name)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PlanError(f"{shown}: {where}: not JSON: {error.msg}", "plan") from error
    except (RecursionError, ValueError) as error:  # nested too deep, or a number too long
        raise PlanError(f"{shown}: not a plan: {error}", "plan") from error
    try:
        return parse_graph(data, max_tasks=max_tasks)
    except PlanError as error:
        raise PlanError(f"{shown}: {error}", error.param) from error
