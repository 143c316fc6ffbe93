"""`ai3 keys`: keys for a server's callers."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ai3ray.domain.access import new_api_key
from ai3ray.errors import UsageError

from .. import options
from ..lazy_group import mount
from ..streams import write_stdout

Name = Annotated[str, typer.Argument(metavar="NAME", help="The key's owner, and that of the runs it starts.")]
ScopeNames = Annotated[
    str, typer.Option("--scope", metavar="LIST", help="What it may do: run, read, sql, admin; separated by commas.")
]


def keys() -> typer.Typer:
    """Return `ai3 keys` with its verb."""
    app = typer.Typer(help="Make keys for the callers of a server.", rich_markup_mode=None)
    mount(app, "new", new)
    return app


def new(name: Name, scope: ScopeNames = "run,read", as_json: options.AsJson = False) -> None:
    """Make a key: print its secret, once, and its entry in AI3_API_KEYS.

    The server keeps only the secret's hash. Scopes: run starts and stops runs, read shows them, sql
    queries the journal about them, all three for the owner's runs only; admin may do everything to
    all runs.

    Examples:
      ai3 keys new alice --scope run,read
      ai3 keys new ops --scope admin --json | jq -r .secret
    """
    try:
        secret, key = new_api_key(name, scope.replace("+", ",").split(","))
    except ValueError as error:
        raise UsageError(str(error)) from error
    if as_json:
        made = {"name": name, "secret": secret, "entry": key.entry(), "scopes": sorted(key.scopes)}
        write_stdout(f"{json.dumps(made)}\n")
        return
    write_stdout(
        f"# secret for {name}, shown only once: the client sets it as AI3_SERVER_KEY\n{secret}\n"
        "# entry for the server; separate several keys by commas\n"
        f"AI3_API_KEYS={key.entry()}\n"
    )
