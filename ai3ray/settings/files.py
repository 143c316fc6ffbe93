"""Read TOML and `.env` files, and name file and line of a mistake."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ai3ray.errors import SettingsError

_WHERE = re.compile(r" \(at line (\d+), column \d+\)$")


class DotenvValue(NamedTuple):
    """One variable of a `.env` file."""

    value: str
    """The value, with references filled in."""
    source: str


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file's tables.

    Raises:
        SettingsError: naming the file, and the line of invalid TOML.
    """
    text = _read(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _WHERE.search(message)
        line = int(found[1]) if found else text.count("\n") + 1
        plain = _WHERE.sub("", message).removesuffix(" (at end of document)")
        raise SettingsError(f"{path}, line {line}: broken TOML: {plain}") from error


def read_dotenv(path: Path, env: Mapping[str, str]) -> dict[str, DotenvValue]:
    """Read the variables of a `.env` file; none if there is no such file.

    Args:
        path: a folder of that name, such as a virtual environment, is ignored.
        env: values for `${NAME}`, which precede those of the lines above.

    Raises:
        SettingsError: naming file and line, never the line's content, which may be a key.
    """
    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    if not path.is_file():
        return {}
    values: dict[str, DotenvValue] = {}
    for binding in parse_stream(io.StringIO(_read(path))):
        original = binding.original.string
        # The parser counts the blank lines above a binding as its own.
        blank = original[: len(original) - len(original.lstrip())]
        source = f"{path}, line {binding.original.line + blank.count(chr(10))}"
        if binding.error or (binding.key and binding.value is None and not original.lstrip().startswith("export")):
            raise SettingsError(f"{source}: not of the form NAME=value")
        if binding.key and binding.value is not None:
            known = {**{name: entry.value for name, entry in values.items()}, **env}
            value = "".join(atom.resolve(known) for atom in parse_variables(binding.value))
            values[binding.key] = DotenvValue(value, source)
    return values


def merge_tables(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two sets of tables; values of `over` win."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge_tables(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def table_sources(tables: Mapping[str, Any], path: Path, prefix: str = "") -> dict[str, str]:
    """Return the file of every key, by dotted name."""
    sources: dict[str, str] = {}
    for key, value in tables.items():
        name = f"{prefix}{key}"
        sources[name] = str(path)
        if isinstance(value, dict):
            sources |= table_sources(value, path, f"{name}.")
    return sources


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from error
