"""A fence that nobody asked for goes, one that belongs to the answer stays."""

import time

import pytest

from ai3ray.domain.plan import Checks, Task
from ai3ray.prompts.markdown import fenced_blocks, unclosed
from ai3ray.verifier.clean import clean_output


def task(output: str, schema: dict[str, object] | None = None) -> Task:
    return Task(id="t", prompt="x", output=output, checks=Checks(json_schema=schema))


@pytest.mark.parametrize(
    ("output", "text", "kept"),
    [
        ("json", '```json\n{"a": 1}\n```', '{"a": 1}'),
        ("json", "\n~~~\n[1]\n~~~\n", "[1]"),
        ("json", "Here:\n```json\n[1]\n```\nBye", "[1]"),
        ("json", '{"a": "```json\\n1\\n```"}', None),
        ("json", "```json\n1\n```\n```json\n2\n```", None),
        ("json", "```python\n1\n```", None),
        ("code", "```python\nx = 1\n\ny = 2\n```", "x = 1\n\ny = 2"),
        ("code", "  \n```\nx\n```  \n", "x"),
        ("code", "````\n```\nx\n```\n````", "```\nx\n```"),
        ("code", "Here:\n```python\nx\n```", None),
        ("code", "```python\nx\n```\nBye", None),
        ("code", "```python\nx\n```\nand\n```python\ny\n```", None),
        ("code", "x = 1", None),
        ("code", "```", None),
        ("markdown", "```markdown\n# A\n\n```py\nx\n```\nB\n```", "# A\n\n```py\nx\n```\nB"),
        ("markdown", "```python\nx\n```", None),
        ("markdown", "# A", None),
        ("text", "```json\n[1]\n```", None),
        ("text", "", None),
    ],
)
def test_what_is_kept(output, text, kept):
    assert clean_output(task(output), text) == (text if kept is None else kept)


def test_a_schema_makes_the_answer_json():
    assert clean_output(task("text", {"type": "array"}), "```json\n[1]\n```") == "[1]"


@pytest.mark.parametrize("output", ["json", "code", "markdown", "text"])
@pytest.mark.parametrize("text", ["```json\n[1]\n```", "```markdown\nx\n```"])
def test_cleaning_twice_is_cleaning_once(output, text):
    once = clean_output(task(output), text)
    assert clean_output(task(output), once) == once


def test_fences_are_read_in_linear_time():
    text = "```a\n" * 200_000
    begin = time.monotonic()
    fenced_blocks(text)
    unclosed(text)
    assert time.monotonic() - begin < 10
