"""`--plan FILE`: a task graph in JSON, with errors that say where."""

from __future__ import annotations

import json
from typing import Any

from ai3ray.domain.plan import TaskGraph, parse_graph
from ai3ray.errors import PlanError

from .text_input import display_name, read_text


def read_plan(name: str, *, max_tasks: int) -> TaskGraph:
    """The checked graph of a plan file.

    Args:
        name: the file, or `-` for stdin.
        max_tasks: the most tasks allowed.

    Raises:
        UsageError: it cannot be read.
        PlanError: it is not JSON (with line and column) or not a task graph (with the task).
    """
    data = _decoded(read_text(name), display_name(name))
    try:
        return parse_graph(data, max_tasks=max_tasks)
    except PlanError as error:
        raise PlanError(f"{display_name(name)}: {error}", error.param) from error


def _decoded(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PlanError(f"{name}: {where}: not JSON: {error.msg}", "plan") from error
    except (RecursionError, ValueError) as error:  # nested or a number too long for anybody
        raise PlanError(f"{name}: not a plan: {error}", "plan") from error
