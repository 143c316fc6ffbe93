"""Where `ai3` starts: the commands are mounted, one runs, and its exit code ends the process."""

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
        from .command_errors import run_command_line

        code = run_command_line(build(), sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while still importing
        os._exit(130)
    sys.exit(code)


def build() -> typer.Typer:
    """The whole command tree. The modules import nothing but Typer until a command is called."""
    from . import root
    from .commands import (
        doctor_command,
        head_commands,
        keys_command,
        local_command,
        models_command,
        plan_command,
        run_command,
        runs_commands,
        serve_command,
        simulate_command,
        sql_command,
        stats_command,
        unbuilt_commands,
    )
    from .mounting import mount

    app = root.app()
    mount(app, "run", run_command.run)
    mount(app, "plan", plan_command.plan)
    app.add_typer(runs_commands.app(), name="runs")
    mount(app, "models", models_command.models)
    mount(app, "stats", stats_command.stats)
    mount(app, "sql", sql_command.sql)
    mount(app, "up", head_commands.up)
    mount(app, "down", head_commands.down)
    mount(app, "status", head_commands.status)
    mount(app, "serve", serve_command.serve)
    app.add_typer(keys_command.app(), name="keys")
    mount(app, "doctor", doctor_command.doctor)
    app.add_typer(local_command.app(), name="local")
    mount(app, "simulate", simulate_command.simulate)
    unbuilt_commands.mount_refusals(app, unbuilt_commands.COMMANDS)
    return app
