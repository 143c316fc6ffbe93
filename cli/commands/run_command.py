"""`ai3 run`: plan a prompt, follow the run, print its answer."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ai3ray.domain.request import RunRequest
from ai3ray.errors import UsageError

from .. import options
from ..command_context import CommandContext, load_context, run_async
from ..command_errors import CANCELLED
from ..follow import run_to_end, submit_detached
from ..input.durations import parse_deadline
from ..input.run_request import RunArguments, run_request
from ..interrupt import outlive_terminal
from ..live.progress import progress
from ..render.final_answer import print_json, print_result
from ..streams import is_terminal, write_stdout

Prompt = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="The task; '-' reads it from stdin.", show_default=False),
]
PlanFile = Annotated[str | None, typer.Option("--plan", metavar="FILE", help="Run this task graph; '-' is stdin.")]
NoPlan = Annotated[bool, typer.Option("--no-plan", help="Skip planning: run the prompt as one task.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Skip the judge and the content checks.")]
Detach = Annotated[bool, typer.Option("--detach", help="Print the run's id and leave; the head runs it.")]
Deadline = Annotated[
    str | None, typer.Option("--deadline", metavar="S", help="Cancel the run after S seconds; 5m or 2h also work.")
]


def run(
    prompt: Prompt = None,
    stream: options.Stream = False,
    as_json: options.AsJson = False,
    plan: PlanFile = None,
    no_plan: NoPlan = False,
    planner_model: options.PlannerModel = None,
    model: options.Models = None,
    max_concurrency: options.MaxConcurrency = None,
    assembly: options.Assembly = None,
    no_verify: NoVerify = False,
    inline: options.Inline = False,
    server: options.Server = None,
    config: options.Config = None,
    file: options.Files = None,
    detach: Detach = False,
    deadline: Deadline = None,
    budget: options.Budget = None,
) -> None:
    """Plan the prompt, run the plan, print the answer.

    The answer goes to stdout, all else to stderr. Ctrl-C cancels the run. Piped input is context,
    named stdin, and so are the files of -f; a task reads those that its prompt names. In a script
    (stderr is no terminal), a pipe that stays silent for 5 seconds is left out; '-f -' waits for it.
    A run that has spent its budget prints what it has and ends with exit code 4.

    Examples:
      ai3 run "Compare Rust, Go and Zig for a small CLI" > answer.md
      ai3 run "Summarize the causes of the 1929 crash" --no-plan --stream
      ai3 run "Which of these contradict each other?" -f spec.md -f notes.txt
      make test 2>&1 | ai3 run "What broke?"
      ai3 run - --model anthropic/claude-sonnet-5-5 < prompt.txt
      ai3 run --plan plan.json --deadline 5m --budget 0.25 --json | jq .stats
      ai3 runs watch $(ai3 run "Write a long report on tidal power" --detach)
    """
    if detach and inline:
        raise UsageError("--detach and --inline cannot be combined: a detached run needs the local head")
    if detach and stream:
        raise UsageError("--detach and --stream cannot be combined; follow the run with 'ai3 runs watch'")
    fields: dict[str, object] = {
        "planner_model": planner_model,
        "models": model,
        "max_concurrency": max_concurrency,
        "assembly": assembly,
        "verify": False if no_verify else None,
        "deadline_s": None if deadline is None else parse_deadline(deadline),
        "budget_usd": options.budget_usd(budget),
    }
    context = load_context(config, server)
    arguments = RunArguments(prompt, plan, no_plan, file or ())
    request = run_request(arguments, fields, max_tasks=context.settings.max_tasks)
    if not detach:
        raise typer.Exit(_follow(context, request, stream=stream, as_json=as_json, inline=inline))
    accepted = run_async(submit_detached(context, request))
    if as_json:
        print_json(accepted.model_dump_json(indent=2))
    else:
        write_stdout(f"{accepted.run_id}\n")


def _follow(context: CommandContext, request: RunRequest, *, stream: bool, as_json: bool, inline: bool) -> int:
    if inline:
        outlive_terminal()
    with progress(full=stream) as shown:
        result = run_async(run_to_end(context, request, shown, inline=inline))
        if result is not None:
            shown.ended(result)
    if result is None:
        return CANCELLED
    return print_result(result, as_json=as_json, summary=is_terminal(sys.stderr) and not stream)
