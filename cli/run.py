"""`ai3 run`: ask, follow, answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from . import options

if TYPE_CHECKING:
    from ai3ray.domain.request import RunRequest

    from .setup import Setup

Prompt = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="What is to be done; '-' is stdin.", show_default=False),
]
Stream = Annotated[bool, typer.Option("--stream", help="Tell on stderr what happens, a line per event.")]
PlanFile = Annotated[str | None, typer.Option("--plan", metavar="FILE", help="Run this task graph; '-' is stdin.")]
NoPlan = Annotated[bool, typer.Option("--no-plan", help="One routed, verified task: the prompt itself.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="No judge and no content checks.")]
# Promised, not built: known to the parser so that they are refused by name.
Files = Annotated[list[str] | None, typer.Option("--file", "-f", metavar="FILE", hidden=True)]
Budget = Annotated[str | None, typer.Option("--budget", metavar="USD", hidden=True)]
Deadline = Annotated[str | None, typer.Option("--deadline", metavar="S", hidden=True)]
Detach = Annotated[bool, typer.Option("--detach", hidden=True)]


def run(
    prompt: Prompt = None,
    stream: Stream = False,
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
    file: Files = None,
    budget: Budget = None,
    deadline: Deadline = None,
    detach: Detach = False,
) -> None:
    """Plan the prompt, run the plan, print the answer.

    The answer goes to stdout, all else to stderr. Ctrl-C cancels the run.

    Examples:
      ai3 run "Compare Rust, Go and Zig for a small CLI" > answer.md
      ai3 run "Summarize the causes of the 1929 crash" --no-plan --stream
      ai3 run - --model anthropic/claude-sonnet-5-5 < prompt.txt
      ai3 run --plan plan.json --json | jq .stats
    """
    from .asking import refuse_unbuilt, run_request
    from .setup import prepared

    refuse_unbuilt({"-f": file, "--budget": budget, "--deadline": deadline, "--detach": detach})
    refuse_unbuilt({"--assembly synthesize": assembly == "synthesize"})
    setup = prepared(config, server)
    fields = {"planner_model": planner_model, "models": model, "max_concurrency": max_concurrency}
    fields |= {"assembly": assembly, "verify": False if no_verify else None}
    request = run_request(prompt, plan, fields, no_plan=no_plan, max_tasks=setup.settings.max_tasks)
    raise typer.Exit(_followed(setup, request, stream=stream, as_json=as_json, inline=inline))


def _followed(setup: Setup, request: RunRequest, *, stream: bool, as_json: bool, inline: bool) -> int:
    from .edge import CANCELLED
    from .follow import run_to_end
    from .interrupt import outlive_terminal
    from .outcome import deliver
    from .progress import progress
    from .setup import complete
    from .streams import on_terminal

    if inline:
        outlive_terminal()
    with progress(lines=stream) as shown:
        result = complete(run_to_end(setup, request, shown, inline=inline))
    if result is None:
        return CANCELLED
    return deliver(result, as_json=as_json, summary=on_terminal(sys.stderr) and not stream)
