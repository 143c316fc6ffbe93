"""The end of a run: answer, failures and exit code."""

from __future__ import annotations

import json
import sys

from ai3ray.domain.result import RunResult
from ai3ray.domain.run import TERMINAL
from ai3ray.report.format import error_words, one_line, visible

from ..command_context import notify
from ..command_errors import exit_code
from ..streams import is_terminal, render_text, write_stdout
from .event_lines import stats_summary

MAX_NAMED = 10
"""Failed tasks that are named; more are counted."""


def print_result(result: RunResult, *, as_json: bool, summary: bool = False) -> int:
    """Print the run's answer or JSON and what it lacks, and return its exit code.

    `summary` adds a line of figures on stderr for a run that succeeded.
    """
    if as_json:
        print_json(result.model_dump_json(indent=2))
    elif result.output:
        write_stdout(answer_text(result.output, terminal=is_terminal(sys.stdout)))
    if line := failure_summary(result):
        notify(line)
    elif summary:
        notify(f"{result.status}: {stats_summary(result.stats)}, {result.run_id}")
    return exit_code(result)


def print_json(text: str) -> None:
    """Print JSON on stdout."""
    write_stdout(f"{visible(text) if is_terminal(sys.stdout) else text}\n")


def answer_text(output: str, *, terminal: bool) -> str:
    """Return the answer: rendered Markdown on a terminal, unchanged elsewhere."""
    if not terminal:
        return output if output.endswith("\n") else f"{output}\n"
    text = visible(output)
    if _is_json(text):  # Markdown would run its lines together
        return f"{text.rstrip()}\n"
    from rich.markdown import Markdown

    return render_text(Markdown(text, hyperlinks=False))


def failure_summary(result: RunResult) -> str | None:
    """Return what a run lacks, on one line; None if it succeeded."""
    if result.status == "succeeded":
        return None
    if result.status not in TERMINAL:
        resume = f"'ai3 runs resume {result.run_id}' goes on with it"
        return f"{result.run_id} is {result.status}, but its head is gone; {resume}"
    if result.status == "cancelled":
        return one_line(f"cancelled {result.run_id}{f': {result.error.message}' if result.error else ''}")
    lost = [f"{task.id} ({task.status})" for task in result.tasks if task.status in ("failed", "skipped", "cancelled")]
    why = error_words(result.error) if result.error else ""
    names = f"{len(lost)} of {len(result.tasks)} tasks" if len(lost) > MAX_NAMED else ", ".join(lost)
    missing = f"no answer for {names}" if lost else ""
    reasons = "; ".join(reason for reason in (why, missing) if reason)
    return one_line(f"{result.status}: {reasons or 'no reason given'}; see 'ai3 runs show {result.run_id}'")


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
