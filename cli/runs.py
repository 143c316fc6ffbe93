"""`ai3 runs`: the runs of this home."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options, unbuilt
from .mounting import mount

Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many, the newest.")]
Decisions = Annotated[bool, typer.Option("--decisions", help="Why each call went to the model it went to.")]


def app() -> typer.Typer:
    """The noun with its verbs."""
    tree = typer.Typer(help="List, show, watch and cancel runs.", rich_markup_mode=None)
    mount(tree, "list", list_runs)
    mount(tree, "show", show)
    mount(tree, "watch", watch)
    mount(tree, "cancel", cancel)
    unbuilt.mount_refusals(tree, unbuilt.RUNS_COMMANDS)
    return tree


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
    from .lookup import newest_runs
    from .outcome import emit_json
    from .render_runs import rows_json, runs_table
    from .setup import complete, prepared
    from .streams import emit, rendered

    rows = complete(newest_runs(prepared(config, server), limit))
    if as_json:
        emit_json(rows_json(rows))
    else:
        emit(rendered(runs_table(rows)) if rows else "no runs yet\n")


def show(
    run: options.RunId,
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
    from .lookup import decisions_of, run_of
    from .outcome import emit_json
    from .render_runs import decisions_json, decisions_table, run_text
    from .setup import complete, prepared
    from .streams import emit, rendered

    setup = prepared(config, server)
    if decisions:
        made = complete(decisions_of(setup, run))
        emit_json(decisions_json(made)) if as_json else emit(rendered(decisions_table(made)))
        return
    result = complete(run_of(setup, run))
    emit_json(result.model_dump_json(indent=2)) if as_json else emit(run_text(result))


def watch(
    run: options.RunId,
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Follow a run to its end, then print its answer.

    Ctrl-C stops watching; the run goes on.

    Examples:
      ai3 runs watch last
    """
    from .lookup import watched
    from .outcome import deliver
    from .progress import progress
    from .setup import complete, prepared

    setup = prepared(config, server)
    with progress(lines=True) as shown:
        result = complete(watched(setup, run, shown))
    raise typer.Exit(deliver(result, as_json=as_json))


def cancel(
    run: options.RunId,
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Cancel a run. One that has ended stays as it is.

    Examples:
      ai3 runs cancel last
    """
    from .lookup import cancelled
    from .outcome import emit_json
    from .setup import complete, prepared, say

    result = complete(cancelled(prepared(config, server), run, say))
    if as_json:
        emit_json(result.model_dump_json(indent=2))
    else:
        say(f"{result.run_id} is {result.status}")
