"""Where `ai3` starts: the commands are mounted, one is run, its exit code leaves."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from .bytecode import keep_bytecode

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command of `sys.argv`; ends the process."""
    keep_bytecode()  # before anything worth caching is imported
    try:
        from .edge import ended

        code = ended(build(), sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while still importing
        os._exit(130)
    sys.exit(code)


def build() -> typer.Typer:
    """The whole command tree. The modules import nothing but Typer until a command is called."""
    from . import doctor, head, keys, local, models, plan, root, run, runs, serve, simulate, sql, stats, unbuilt
    from .mounting import mount

    app = root.app()
    mount(app, "run", run.run)
    mount(app, "plan", plan.plan)
    app.add_typer(runs.app(), name="runs")
    mount(app, "models", models.models)
    mount(app, "stats", stats.stats)
    mount(app, "sql", sql.sql)
    mount(app, "up", head.up)
    mount(app, "down", head.down)
    mount(app, "status", head.status)
    mount(app, "serve", serve.serve)
    app.add_typer(keys.app(), name="keys")
    mount(app, "doctor", doctor.doctor)
    app.add_typer(local.app(), name="local")
    mount(app, "simulate", simulate.simulate)
    unbuilt.mount_refusals(app, unbuilt.COMMANDS)
    return app
