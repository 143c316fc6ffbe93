"""Compiles code without running it.

A compiler can take all memory, so `check_code` is a pure function that may run in another process.
"""

from __future__ import annotations

import ast
import json
import textwrap
import warnings
from collections.abc import Callable

from ai3ray.domain.verdict import Defect
from ai3ray.prompts.markdown import fenced_blocks

_ALIASES = {"py": "python", "python3": "python", "py3": "python"}


def check_code(text: str, language: str = "") -> tuple[Defect, ...]:
    """Find the code that does not compile; languages other than Python and JSON pass.

    Args:
        text: fenced blocks, or code alone.
        language: the language of untagged code; unknown when empty.
    """
    blocks = fenced_blocks(text) or (("", text),)
    defects = []
    for number, (tag, body) in enumerate(blocks, 1):
        compiler = compiler_of(tag, language)
        problem = compiler(body) if compiler else None
        if problem:
            part = f"code block {number}" if len(blocks) > 1 else "code"
            defects.append(Defect(part=part, problem=problem))
    return tuple(defects)


def compiler_of(tag: str, language: str = "") -> Callable[[str], str | None] | None:
    """Return the function that explains why a block does not compile; None for an unknown language."""
    name = (tag or language).lower()
    return _COMPILERS.get(_ALIASES.get(name, name))


def _python(source: str) -> str | None:
    source = textwrap.dedent(source)
    if source.lstrip().startswith((">>>", "%", "!")):  # a session or a notebook, not a module
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # doubtful escapes are not errors
            compile(source, "<answer>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return f"the Python code does not compile: line {error.lineno}: {error.msg}"
    except ValueError as error:  # such as null bytes
        return f"the Python code does not compile: {error}"
    except (RecursionError, MemoryError):
        return "the Python code does not compile: it is nested too deeply"
    return None


def _json(source: str) -> str | None:
    try:
        json.loads(source)
    except RecursionError:
        return "the JSON is nested too deeply"
    except ValueError as error:
        return f"the JSON does not parse: {error}"
    return None


_COMPILERS: dict[str, Callable[[str], str | None]] = {"python": _python, "json": _json}
