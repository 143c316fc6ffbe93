"""The edge of every command: whatever happens inside ends as one line on stderr and an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from typer.main import get_command

from ai3ray.errors import Ai3Error, BudgetSpent
from ai3ray.report.format import one_line

from .streams import configure_streams, print_stderr

if TYPE_CHECKING:
    from ai3ray.domain.result import RunResult

FAILED = 1
USAGE = 2
PARTIAL = 3
CANCELLED = 130


def run_command_line(app: typer.Typer, words: Sequence[str]) -> int:
    """Run one command line and return its exit code.

    Args:
        app: the command tree.
        words: the command line without the program's name.
    """
    configure_streams()
    words, debug = split_debug_flag(words)
    if debug:
        import logging

        logging.basicConfig(level=logging.INFO)
    try:
        code = get_command(app).main(args=words or ["--help"], prog_name="ai3", standalone_mode=False)
    except typer.TyperException as error:
        return _report_error(error, usage_message(error), USAGE, debug=debug)
    except Ai3Error as error:
        return _report_error(error, error.message, error.exit_code, debug=debug)
    except KeyboardInterrupt:
        return CANCELLED
    except OSError as error:
        return _report_error(error, os_error_message(error), FAILED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the edge of a command
        words_of_it = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return _report_error(error, f"internal error: {words_of_it} (--debug shows where)", FAILED, debug=debug)
    return code if isinstance(code, int) else 0


def split_debug_flag(words: Sequence[str]) -> tuple[list[str], bool]:
    """The line without `--debug`, which may stand anywhere before a `--`, and whether it was there."""
    end = list(words).index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return [*kept, *words[end:]], len(kept) < end


def exit_code(result: RunResult) -> int:
    """What `ai3` ends with after this run; 130 goes before 4, 4 before 1, 1 before 3."""
    if result.status == "cancelled":
        return CANCELLED
    if result.error is not None and result.error.type == BudgetSpent.type:
        return BudgetSpent.exit_code
    return {"succeeded": 0, "partial": PARTIAL}.get(result.status, FAILED)


def usage_message(error: typer.TyperException) -> str:
    """What is wrong with the command line, and where to read how it goes."""
    path = getattr(getattr(error, "ctx", None), "command_path", "ai3")
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return f"{message}. Try '{path} --help'."


def os_error_message(error: OSError) -> str:
    """An error of the operating system in words, with the file it is about."""
    return f"{error.filename}: {error.strerror}" if error.filename else (error.strerror or str(error))


def _report_error(error: BaseException, message: str, code: int, *, debug: bool) -> int:
    if debug:
        print_stderr("".join(traceback.format_exception(error)).rstrip())
    print_stderr(f"ai3: {one_line(message)}")
    return code
