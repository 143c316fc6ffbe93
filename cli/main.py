"""The entry point of `ai3`."""

from __future__ import annotations

import os
import sys

from .bytecode import keep_bytecode


def main() -> None:
    """Run the command of `sys.argv` and end the process."""
    keep_bytecode()  # before anything worth caching is imported
    try:
        from .command_errors import run_command_line
        from .root import command_tree

        code = run_command_line(command_tree(), sys.argv[1:])
    except KeyboardInterrupt:  # Ctrl-C while still importing
        os._exit(130)
    sys.exit(code)
