"""`ai3 runs`: the runs of this home."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ai3ray.client.port import RunReader
from ai3ray.report.export_files import writer_for
from ai3ray.report.run_history import RunHistory, read_history

from .. import options
from ..command_context import load_context, notify, run_async
from ..confirm_prune import confirm_and_prune
from ..input.durations import parse_duration
from ..input.run_refs import cancel_run, load_decisions, load_run, resolve_run_id, resume_run, watch_run
from ..lazy_group import mount
from ..live.progress import progress
from ..render.final_answer import print_json, print_result
from ..render.run_tables import decisions_json, decisions_text, prune_summary, rows_json, run_text, runs_table
from ..streams import is_terminal, render_text, write_stdout

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="Show at most N, the newest.")]
Decisions = Annotated[bool, typer.Option("--decisions", help="Show why each call went to its model.")]
Output = Annotated[
    str, typer.Option("-o", "--output", metavar="FILE", help="A .json, .parquet or .html file.", show_default=False)
]
OlderThan = Annotated[
    str,
    typer.Option(
        "--older-than",
        metavar="AGE",
        help="Delete runs that ended longer ago than this: 12h, 30d, 4w.",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def runs() -> typer.Typer:
    """Return `ai3 runs` with its verbs."""
    app = typer.Typer(help="List, show, follow, export and prune runs.", rich_markup_mode=None)
    mount(app, "list", list_runs)
    mount(app, "show", show)
    mount(app, "watch", watch)
    mount(app, "cancel", cancel)
    mount(app, "resume", resume)
    mount(app, "export", export)
    mount(app, "prune", prune)
    return app


def list_runs(
    as_json: options.AsJson = False,
    limit: Limit = 20,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """List runs, newest first.

    Examples:
      ai3 runs list --limit 5
      ai3 runs list --json | jq -r '.[] | select(.status == "failed") | .run_id'
    """
    rows = load_context(config, server).read(lambda reader: reader.runs(limit=limit))
    if as_json:
        print_json(rows_json(rows))
    else:
        write_stdout(render_text(runs_table(rows, terminal=is_terminal(sys.stdout))) if rows else "no runs yet\n")


def show(
    run: options.RunRef,
    as_json: options.AsJson = False,
    decisions: Decisions = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Show a run: tasks, verdicts, cost, answer.

    Examples:
      ai3 runs show last
      ai3 runs show last --decisions
      ai3 runs show run_01kb --json | jq -r .output
    """
    context = load_context(config, server)
    if decisions:
        made = context.read(lambda reader: load_decisions(reader, run))
        print_json(decisions_json(made)) if as_json else write_stdout(decisions_text(made))
        return
    result = context.read(lambda reader: load_run(reader, run))
    print_json(result.model_dump_json(indent=2)) if as_json else write_stdout(run_text(result))


def watch(
    run: options.RunRef,
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Follow a run to its end, then print its answer.

    Ctrl-C stops watching; the run goes on.

    Examples:
      ai3 runs watch last
    """
    context = load_context(config, server)
    with progress(full=True) as shown:
        result = context.read(lambda reader: watch_run(reader, run, shown))
        shown.ended(result)
    raise typer.Exit(print_result(result, as_json=as_json))


def cancel(
    run: options.RunRef,
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Cancel a run; one that has ended stays as it is.

    Examples:
      ai3 runs cancel last
    """
    result = run_async(cancel_run(load_context(config, server), run, notify))
    if as_json:
        print_json(result.model_dump_json(indent=2))
    else:
        notify(f"{result.run_id} is {result.status}")


def resume(
    run: options.RunRef,
    as_json: options.AsJson = False,
    stream: options.Stream = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Continue an interrupted run and follow it; print one that has ended.

    Answers in the journal are not paid for again. Ctrl-C stops watching; the run goes on.

    Examples:
      ai3 runs resume last
      ai3 runs resume run_01kb --json | jq .status
    """
    context = load_context(config, server)
    with progress(full=stream) as shown:
        result = run_async(resume_run(context, run, shown))
        shown.ended(result)
    raise typer.Exit(print_result(result, as_json=as_json))


def export(
    run: options.RunRef,
    output: Output,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Write a run to a file; its suffix decides the format.

    .json has the run with its events, attempts and decisions; .parquet has its model calls, each with
    its task; .html is one page to read, print and send: graph, timeline, costs, decisions, texts.

    Examples:
      ai3 runs export last -o run.html
      ai3 runs export last -o calls.parquet
      ai3 runs export run_01kb -o run.json && jq .stats run.json
    """
    write = writer_for(output)

    async def load(reader: RunReader) -> RunHistory:
        return await read_history(reader, await resolve_run_id(reader, run))

    record = load_context(config, server).read(load)
    write(record)
    notify(f"wrote {output}: {record.result.run_id}, {record.result.status}")


def prune(
    older_than: OlderThan,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: options.AsJson = False,
    config: options.Config = None,
) -> None:
    """Delete runs that ended long ago, with everything kept of them.

    Runs that have not ended are kept, however old. The journal's file reuses the space.

    Examples:
      ai3 runs prune --older-than 30d --dry-run
      ai3 runs prune --older-than 12w --yes
    """
    age_s = parse_duration(older_than, "--older-than")
    report = confirm_and_prune(load_context(config), age_s, dry_run=dry_run, ask=not yes)
    if as_json:
        print_json(report.model_dump_json(indent=2))
    else:
        notify(prune_summary(report))
