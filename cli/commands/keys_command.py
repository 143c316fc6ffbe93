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

Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is: the owner of the runs it starts.")]
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

    The server keeps only the secret's hash. Scopes: run starts and stops runs, read sees them, sql
    asks the journal about them, admin may do everything to everybody's runs. The owner of a key sees
    its own runs only.

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
        f"# the secret: for {name}, shown this once; the client sends it, in AI3_SERVER_KEY\n{secret}\n"
        "# for the server; further keys follow after a comma\n"
        f"AI3_API_KEYS={key.entry()}\n"
    )
