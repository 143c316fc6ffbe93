"""The options that commands share, each declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from ai3ray.domain import assembly

from .input.amounts import parse_dollars
from .input.completion import model_names, run_ids

Server = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Use this server, not the local head. [AI3_SERVER]"),
]
Config = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="Settings file, on top of ./ai3.toml. [AI3_CONFIG]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
Stream = Annotated[bool, typer.Option("--stream", help="Show on stderr what happens: live, or a line per event.")]
Inline = Annotated[bool, typer.Option("--inline", help="Run in this process: no Ray, no head.")]
PlannerModel = Annotated[
    str | None,
    typer.Option(
        "--planner-model",
        metavar="MODEL",
        help="The model that plans. [AI3_PLANNER_MODEL]",
        autocompletion=model_names,
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Call only this model, for every role; may be repeated.",
        autocompletion=model_names,
    ),
]
MaxConcurrency = Annotated[
    int | None,
    typer.Option("--max-concurrency", metavar="N", min=1, help="Tasks in flight. [AI3_MAX_CONCURRENCY, 5]"),
]
Assembly = Annotated[
    assembly.Assembly | None,
    typer.Option(
        "--assembly",
        metavar="NAME",
        help=f"How the outputs become one answer, instead of the plan's way: {', '.join(assembly.ASSEMBLIES)}.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option("--budget", metavar="USD", help="The most it may cost, such as 0.25. [AI3_BUDGET_USD]"),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "-f", "--file", metavar="FILE", help="A text file as context, up to 1 MB; may be repeated, '-' is stdin."
    ),
]
RunRef = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run id, the beginning of one, or 'last'.", autocompletion=run_ids),
]


def budget_usd(text: str | None) -> float | None:
    """Return the US dollars of `--budget`; raises UsageError."""
    return None if text is None else parse_dollars(text, "--budget")
