"""`ai3` itself: what it is, its version, and the options that stand before or after any command."""

from __future__ import annotations

from typing import Annotated

import typer

from .mounting import help_text


def app() -> typer.Typer:
    """The tree's root, without commands."""
    # Plain help instead of Rich's panels: half the time, and examples can be copied as they stand.
    tree = typer.Typer(
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    tree.callback(help=help_text(_root))(_root)
    return tree


def _version(wanted: bool) -> None:
    if not wanted:
        return
    from ai3ray.version import __version__

    from .streams import write_stdout

    write_stdout(f"ai3 {__version__}\n")
    raise typer.Exit(0)


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
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
