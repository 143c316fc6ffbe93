"""Docstrings and messages are plain English: a verb first, no riddles, no translated idioms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house_figures import docstrings, modules

ROOT = Path(__file__).parent.parent

OPENINGS = re.compile(r"(what|whether|who|whose|whom|which|how|why|where|when|whoever|whatever)\b", re.IGNORECASE)
"""A docstring that opens with one of these says what something is about, not what it does."""

BANNED = (
    "such as:",
    "so-manieth",
    "so-and-so-manieth",
    "nobody's many",
    "somebody else's",
    "whoever",
    "is wanted",
    "are wanted",
    "wants keys",
    "has not the",
    "have not the",
    "knows nothing of",
    "is told",
    "are told",
    "has been told",
    "tells of",
    "hears of",
    "heard of",
    "serves no more",
    "sees to it",
    "see to it",
    "goes on by itself",
    "if need be",
    "as if there were no",
    "to be had",
    "stands for itself",
    "made good",
    "of its own accord",
)
"""Words that stand for a plainer one, or for a thing that acts like a person."""

NOT_PROSE = "ai3ray/simulator/author/prose.py"
"""Sentences of the simulated models' answers."""

SEE = re.compile(r"^See [`A-Z]")


@pytest.fixture(scope="module")
def texts():
    return [(name, tree) for name, tree, _ in modules(ROOT)]


def opening(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def described(tree: ast.Module) -> list[str]:
    """Return the docstrings of modules, classes and functions, without those of fields."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [text for node in ast.walk(tree) if isinstance(node, owners) and (text := ast.get_docstring(node))]


def test_no_docstring_opens_with_a_question_word(texts):
    found = [f"{name}: {opening(text)}" for name, tree in texts for text in described(tree) if OPENINGS.match(text)]
    assert found == []


def test_no_docstring_only_points_elsewhere(texts):
    found = [f"{name}: {opening(text)}" for name, tree in texts for text in docstrings(tree) if SEE.match(text.strip())]
    assert found == []


def test_no_text_uses_a_banned_word(texts):
    found = []
    for name, tree in texts:
        for node in ast.walk(tree) if name != NOT_PROSE else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                words = " ".join(node.value.split()).lower()
                found += [f"{name}:{node.lineno}: {phrase}" for phrase in BANNED if phrase in words]
    assert found == []
