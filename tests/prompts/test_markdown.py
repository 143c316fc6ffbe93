"""Blocks and headings of whatever a model writes are found as CommonMark has them, quickly."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from ai3ray.prompts.markdown import (
    FencedBlock,
    Heading,
    begins_with_heading,
    fenced_blocks,
    headings,
    outside,
    unclosed,
    without_fences,
)

TEXT = "# Tea\n\nText\n```python\n# no heading\n```\n## Green #\n~~~\n```\n~~~\nend"


def test_closed_blocks_are_found_whatever_marks_they_use():
    assert fenced_blocks(TEXT) == (FencedBlock("python", "# no heading"), FencedBlock("", "```"))
    assert outside(TEXT, "|") == "# Tea\n\nText\n|\n## Green #\n|\nend"


def test_headings_inside_blocks_are_none():
    assert headings(TEXT) == (Heading(0, 1, "Tea"), Heading(6, 2, "Green"))


def test_a_block_that_is_never_closed_is_no_block():
    assert fenced_blocks("```\nx") == ()
    assert unclosed("```\nx")


def test_fences_that_are_balanced_when_read_as_nested_are_closed():
    assert not unclosed("```md\n```python\nx\n```\n```")
    assert unclosed("```\nx\n```\n```")
    assert without_fences("```md\nx\n~~~\n```") == "x"


@pytest.mark.parametrize("text", ["# One\ntext", "\n## One", "One\n===", "One\n---\ntext", "**One**\ntext", "__One__"])
def test_a_text_may_begin_with_a_heading(text):
    assert begins_with_heading(text)


@pytest.mark.parametrize("text", ["One\n\n# Two", "#One", "**One** two", "- One", "", "```\n# One\n```"])
def test_or_with_something_else(text):
    assert not begins_with_heading(text)


@pytest.mark.parametrize(
    "seed", ["```\n", "> ", "# x\n", "a\n===\n", "- x\n", "  - ", "word ", "[", "`" * 9 + "\n~~~\n"]
)
def test_a_megabyte_is_read_in_seconds_however_it_is_nested(seed):
    text = (seed * (1_000_000 // len(seed) + 1))[:1_000_000]
    begin = time.thread_time()
    fenced_blocks(text)
    headings(text)
    assert begins_with_heading(text) in {True, False}
    assert time.thread_time() - begin < 8


def test_the_parser_is_imported_by_the_first_text_that_needs_it():
    code = (
        "import sys; from ai3ray.verifier.check import check; from ai3ray.prompts.markdown import outside;"
        "outside('no block'); print('markdown_it' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
