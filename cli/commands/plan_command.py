"""`ai3 plan`: what a run would do and cost, without running it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ai3ray.domain.listings import PlanPreview
from ai3ray.domain.plan import graph_json

from .. import options
from ..command_context import load_context, notify, run_async
from ..input.run_request import RunArguments, plan_request
from ..render.final_answer import print_json
from ..render.plan_tree import preview_text
from ..streams import write_stdout

Prompt = Annotated[str, typer.Argument(metavar="PROMPT", help="The task; '-' reads it from stdin.")]
Output = Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help="Write the plan's JSON here.")]


def plan(
    prompt: Prompt,
    as_json: options.AsJson = False,
    output: Output = None,
    file: options.Files = None,
    planner_model: options.PlannerModel = None,
    model: options.Models = None,
    budget: options.Budget = None,
    inline: options.Inline = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Show what a run would do and cost; run no task.

    --json and -o write the JSON that 'ai3 run --plan' reads. Of context, piped in or given with -f,
    the planner sees only names and sizes. --budget limits the planner's call, and a warning follows
    when the plan's estimate exceeds it.

    Examples:
      ai3 plan "Write a report on tidal power" --budget 0.50
      ai3 plan "Write a report on tidal power" -o plan.json && ai3 run --plan plan.json
    """
    fields = {"planner_model": planner_model, "models": model, "budget_usd": options.budget_usd(budget)}
    context = load_context(config, server)
    request = plan_request(RunArguments(prompt, files=file or ()), fields)

    async def ask() -> PlanPreview:
        async with context.connect(notify, inline=inline) as client:
            return await client.plan(context.fill(request, client))

    preview = run_async(ask())
    for warning in preview.warnings:
        notify(f"warning: {warning}")
    if output:
        Path(output).write_text(f"{graph_json(preview.plan)}\n", encoding="utf-8")
        notify(f"wrote {output}; run it with: ai3 run --plan {shlex.quote(output)}")
    if as_json:
        print_json(graph_json(preview.plan))
    elif not output:
        write_stdout(preview_text(preview))
