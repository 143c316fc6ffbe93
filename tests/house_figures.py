"""Print how wordy and how finely cut the product is: `python -m tests.house_figures [FOLDER]`.

The figures are guides, not limits: words in docstrings (per package and per line of code), and the share of private
functions with a single caller.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PRODUCT = ("ai3ray", "cli", "deployments")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(root: Path) -> Iterator[tuple[str, ast.Module, str]]:
    """Yield each module of the product: its path below `root`, its tree and its text."""
    for package in PRODUCT:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_text()
            yield str(path.relative_to(root)), ast.parse(text), text


def docstrings(tree: ast.AST) -> Iterator[str]:
    """Yield every docstring of a module, those below fields included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield text


def code_lines(tree: ast.AST, text: str) -> int:
    """Count the lines that are neither empty, nor comment, nor docstring."""
    prose = sum(len(text.splitlines()) for text in docstrings(tree))
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines()) - prose


def private_functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each private function or method of a module with the number of places that name it."""
    uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    uses.update(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    for node in ast.walk(tree):
        if isinstance(node, _Function) and re.match("_[^_]", node.name) and not node.decorator_list:
            yield node.name, uses[node.name]


def main(root: Path) -> None:
    """Print the figures of the checkout at `root`."""
    words: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    functions = single = 0
    for name, tree, text in modules(root):
        package = "/".join(name.split("/")[:2]) if name.startswith("ai3ray/") else name.split("/")[0]
        words[package] += sum(len(docstring.split()) for docstring in docstrings(tree))
        lines[package] += code_lines(tree, text)
        uses = [count for _, count in private_functions(tree)]
        functions, single = functions + len(uses), single + uses.count(1)
    for package, count in words.most_common():
        print(f"{package:24} {count:6} docstring words {lines[package]:6} lines of code")
    total, code = words.total(), lines.total()
    print(f"{'all':24} {total:6} docstring words {code:6} lines of code {total / code:.2f} words per line")
    print(f"private functions with one caller: {single} of {functions}, {single / functions:.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
