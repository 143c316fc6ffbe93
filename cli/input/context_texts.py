"""Texts that a request takes along: the files of `-f`, and what was piped in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from ai3ray.domain.request import ContextText
from ai3ray.errors import UsageError

from .piped_stdin import read_piped
from .text_input import STDIN, decode_text, display_name, read_bytes

MAX_BYTES = 1_000_000
"""Bytes of one text."""
STDIN_NAME = "stdin"
"""What a task's prompt calls the text that was piped in."""


def context_texts(files: Sequence[str], *, read_stdin: bool, notify: Callable[[str], None]) -> list[ContextText]:
    """The texts in the order of the command line, what was piped in last.

    Args:
        files: names of files; `-` is stdin, and waits for it however long it is silent.
        read_stdin: whether stdin is context although no `-` names it.
        notify: told in one line what takes time or surprises.

    Raises:
        UsageError: one cannot be read, is not text, or is too large; the message names it.
    """
    files = list(dict.fromkeys(files))
    names = _names(files)
    found = [ContextText(name=names[file], text=_text(read_bytes(file, MAX_BYTES + 1), file)) for file in files]
    if read_stdin and STDIN not in files and (data := read_piped(MAX_BYTES, notify)):
        found.append(ContextText(name=names[STDIN], text=_text(data, STDIN)))
    return found


def _names(files: Sequence[str]) -> dict[str, str]:
    """A name for each: that of the file without its folder, unless two would be called the same."""
    short = {STDIN: STDIN_NAME} | {file: Path(file).name or file for file in files if file != STDIN}
    taken = Counter(short.values())
    return {file: name if file == STDIN or taken[name] == 1 else file for file, name in short.items()}


def _text(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{display_name(name)} is larger than {MAX_BYTES // 1_000_000} MB: give the part that matters")
    if b"\0" in data:
        raise UsageError(f"{display_name(name)} is binary: context is UTF-8 text")
    return decode_text(data, name)
