"""Finds the code of an answer that has to compile."""

from __future__ import annotations

import re
from typing import NamedTuple

from ai3ray.domain.plan import Task
from ai3ray.prompts.markdown import FencedBlock, fenced_blocks
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.code import compiler_of
from ai3ray.verifier.words import prompt_excerpt

MIN_SNIPPET_LINES = 3
"""In a text about code, a shorter block may be a signature or a fragment."""

_PYTHON = re.compile(r"\bpython\b(?! ?2)|\bpytest\b|\bdjango\b|\bflask\b|\bpandas\b|\bnumpy\b", re.IGNORECASE)
_OTHERS = re.compile(
    r"\b(?:bash|shell|docker\w*|sql|html|css|javascript|typescript|react|node|java|kotlin|swift|rust|golang"
    r"|ruby|php|perl"
    r"|haskell|scala|lua|yaml|toml|makefile|powershell|julia|matlab|latex|regex|cython|jinja\w*|pseudo.?code|mermaid)\b"
    r"|\bc\+\+|\bc#|\bin (?:c|r|go)\b",
    re.IGNORECASE,
)
_BROKEN_ON_PURPOSE = re.compile(
    r"python ?2|syntax ?error|does(?:n't| not) (?:compile|parse|run)|broken|invalid|malformed|incorrect|buggy"
    r"|wrong code|before (?:and|/) after|pseudo.?code|diff\b|snippet with (?:a )?mistake|fill in the blanks?"
    r"|jinja|cookiecutter"
    r"|template",
    re.IGNORECASE,
)
_ELLIPSIS = re.compile(r"\.\.\.|…|^\s*(?://|/\*)|<[a-z][\w -]*>", re.MULTILINE)


class CodeJob(NamedTuple):
    """The arguments of `check_code`."""

    text: str
    language: str


def code_to_compile(task: Task, text: str) -> CodeJob | None:
    """Return the code of an answer that has to compile; None when none is in a known language.

    Code as output has to compile as a whole; in a text about code, only long blocks without omissions.
    """
    if wants_json(task) or (task.output != "code" and task.kind != "coding"):
        return None
    if _BROKEN_ON_PURPOSE.search(prompt_excerpt(task)):
        return None
    language = "python" if _PYTHON.search(prompt_excerpt(task)) and not _OTHERS.search(prompt_excerpt(task)) else ""
    blocks = fenced_blocks(text)
    if not blocks:
        return CodeJob(text, language) if task.output == "code" and language and "```" not in text else None
    whole = task.output == "code"
    kept = [
        block
        if whole or (block.body.count("\n") + 1 >= MIN_SNIPPET_LINES and not _ELLIPSIS.search(block.body))
        else block._replace(tag="text")
        for block in blocks
    ]
    if not any(compiler_of(block.tag, language if whole else "") for block in kept):
        return None
    return CodeJob("\n".join(map(_fenced, kept)), language if whole else "")


def _fenced(block: FencedBlock) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", block.body)), default=2)
    ticks = "`" * (longest + 1)
    return f"{ticks}{block.tag}\n{block.body}\n{ticks}"
