"""`ai3` itself: its options, and its commands with a loader for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ai3ray.version import __version__

from .commands.unbuilt_commands import add_unbuilt_commands
from .lazy_group import LazyCommand, LazyGroup, help_text
from .streams import write_stdout

Command = Callable[..., None]


def command_tree() -> TyperGroup:
    """Return `ai3` with all its commands, none of them loaded."""
    # Plain help instead of Rich's panels: half the time, and examples can be copied as they stand.
    app = typer.Typer(
        cls=LazyGroup,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(help=help_text(_root))(_root)
    add_unbuilt_commands(app)
    tree = get_command(app)
    assert isinstance(tree, TyperGroup)
    for command in (
        LazyCommand("run", "Plan the prompt, run the plan, print the answer.", _run),
        LazyCommand("plan", "Show what a run would do and cost; run no task.", _plan),
        LazyCommand("models", "List the models and their measured results.", _models),
        LazyCommand("stats", "Draw cost, latency, success and verdicts.", _stats),
        LazyCommand("sql", "Query the journal with read-only SQL.", _sql),
        LazyCommand("up", "Start the local head and keep it.", _up),
        LazyCommand("down", "Stop the local head.", _down),
        LazyCommand("status", "Show the local head.", _status),
        LazyCommand("serve", "Serve the HTTP API with Ray Serve until Ctrl-C.", _serve),
        LazyCommand("doctor", "Check this computer, the home and the providers.", _doctor),
        LazyCommand("simulate", "Serve simulated providers until Ctrl-C.", _simulate),
        LazyCommand("runs", "List, show, follow, export and prune runs.", _runs),
        LazyCommand("keys", "Make keys for the callers of a server.", _keys),
        LazyCommand("local", "Install the embedded model.", _local),
    ):
        tree.add_command(command)
    return tree


def _print_version(requested: bool) -> None:
    if requested:
        write_stdout(f"ai3 {__version__}\n")
        raise typer.Exit(0)


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; works after any command too.")
    ] = False,
) -> None:
    """One prompt becomes a verified, parallel plan over many language models.

    Examples:
      ai3 run "Compare Rust, Go and Zig for a small CLI" > answer.md
      ai3 run "Write a short guide to DuckDB" --stream
      ai3 plan "Plan a week in Lisbon" -o plan.json
      ai3 run --plan plan.json
      ai3 runs list
      ai3 sql "SELECT model, count(*) FROM attempts GROUP BY 1"

    Exit codes:
      0 succeeded   1 failed   2 usage or configuration
      3 partial     4 budget   130 cancelled
    """


def _run() -> Command:
    from .commands.run_command import run

    return run


def _plan() -> Command:
    from .commands.plan_command import plan

    return plan


def _runs() -> typer.Typer:
    from .commands.runs_commands import runs

    return runs()


def _models() -> Command:
    from .commands.models_command import models

    return models


def _stats() -> Command:
    from .commands.stats_command import stats

    return stats


def _sql() -> Command:
    from .commands.sql_command import sql

    return sql


def _up() -> Command:
    from .commands.head_commands import up

    return up


def _down() -> Command:
    from .commands.head_commands import down

    return down


def _status() -> Command:
    from .commands.head_commands import status

    return status


def _serve() -> Command:
    from .commands.serve_command import serve

    return serve


def _keys() -> typer.Typer:
    from .commands.keys_command import keys

    return keys()


def _doctor() -> Command:
    from .commands.doctor_command import doctor

    return doctor


def _local() -> typer.Typer:
    from .commands.local_command import local

    return local()


def _simulate() -> Command:
    from .commands.simulate_command import simulate

    return simulate
