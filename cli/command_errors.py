"""The edge of a command: one line on stderr and an exit code for any error."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand, TyperGroup

from ai3ray.errors import Ai3Error, BudgetSpent
from ai3ray.report.format import one_line

from .streams import configure_streams, print_stderr

if TYPE_CHECKING:
    from ai3ray.domain.result import RunResult  # help must not load the domain

FAILED = 1
USAGE = 2
PARTIAL = 3
CANCELLED = 130


def run_command_line(tree: TyperGroup | TyperCommand, args: Sequence[str]) -> int:
    """Run the command that `args` name and return its exit code."""
    configure_streams()
    args, debug = split_debug_flag(args)
    if debug:
        import logging  # late: it would slow the help of every command down

        logging.basicConfig(level=logging.INFO)
    try:
        code = tree.main(args=args or ["--help"], prog_name="ai3", standalone_mode=False)
    except typer.TyperException as error:
        return _report_error(error, usage_message(error), USAGE, debug=debug)
    except Ai3Error as error:
        return _report_error(error, error.message, error.exit_code, debug=debug)
    except KeyboardInterrupt:
        return CANCELLED
    except OSError as error:
        return _report_error(error, os_error_message(error), FAILED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the edge of a command
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _report_error(error, f"internal error: {reason}; --debug shows the traceback", FAILED, debug=debug)
    return code if isinstance(code, int) else 0


def split_debug_flag(args: Sequence[str]) -> tuple[list[str], bool]:
    """Remove `--debug` before a `--`, and return whether it was there."""
    end = list(args).index("--") if "--" in args else len(args)
    kept = [arg for arg in args[:end] if arg != "--debug"]
    return [*kept, *args[end:]], len(kept) < end


def exit_code(result: RunResult) -> int:
    """Return the exit code of a run: 130 takes precedence over 4, 4 over 1, 1 over 3."""
    if result.status == "cancelled":
        return CANCELLED
    if result.error is not None and result.error.type == BudgetSpent.type:
        return BudgetSpent.exit_code
    return {"succeeded": 0, "partial": PARTIAL}.get(result.status, FAILED)


def usage_message(error: typer.TyperException) -> str:
    """Return an error of the command line with a pointer to its help."""
    path = getattr(getattr(error, "ctx", None), "command_path", "ai3")
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return f"{message}{'' if message.endswith('?') else '.'} Try '{path} --help'."


def os_error_message(error: OSError) -> str:
    """Return an operating system error with its file's name."""
    return f"{error.filename}: {error.strerror}" if error.filename else (error.strerror or str(error))


def _report_error(error: BaseException, message: str, code: int, *, debug: bool) -> int:
    if debug:
        print_stderr("".join(traceback.format_exception(error)).rstrip())
    print_stderr(f"ai3: {one_line(message)}")
    return code
