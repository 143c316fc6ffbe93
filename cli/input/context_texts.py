"""A request's context: the files of `-f`, and piped input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ai3ray.domain.request import ContextText
from ai3ray.errors import UsageError

from .piped_stdin import read_piped
from .text_input import STDIN, decode_text, display_name, read_bytes

MAX_BYTES = 1_000_000
"""Limit of one text."""
STDIN_NAME = "stdin"
"""Name of the piped text in prompts."""


def context_texts(files: Sequence[str], *, read_stdin: bool, notify: Callable[[str], None]) -> list[ContextText]:
    """Return the texts in the order of the command line, the piped one last.

    Args:
        files: file names; `-` is stdin, read however long it is silent.
        read_stdin: also take piped input without a `-`.
        notify: called with a line about a wait for stdin.

    Raises:
        UsageError: a file cannot be read, is not text, or is too large.
    """
    files = list(dict.fromkeys(files))
    names = {STDIN: STDIN_NAME} | {file: Path(file).name or file for file in files if file != STDIN}
    uses = Counter(names.values())
    # Names without folders, unless two would be the same.
    names = {file: name if file == STDIN or uses[name] == 1 else file for file, name in names.items()}
    found = [ContextText(name=names[file], text=_text(read_bytes(file, MAX_BYTES + 1), file)) for file in files]
    if read_stdin and STDIN not in files and (data := read_piped(MAX_BYTES, notify)):
        found.append(ContextText(name=names[STDIN], text=_text(data, STDIN)))
    return found


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"{display_name(name)} is larger than {MAX_BYTES // 1_000_000} MB; give only the part that matters"
        )
    if b"\0" in data:
        raise UsageError(f"{display_name(name)} is binary; context has to be UTF-8 text")
    return decode_text(data, name)
