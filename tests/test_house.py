"""The house rules that a tree can break without any behaviour changing."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from tests.house_figures import PRODUCT, modules

ROOT = Path(__file__).parent.parent

SHARED_NAMES = {"port", "build"}
"""Module names that stand for the same thing in every package."""

RAY_ROOMS = ("ai3ray.executor.ray", "deployments")


@pytest.fixture(scope="module")
def tree():
    return [(name, module) for name, module, _ in modules(ROOT)]


@pytest.fixture(scope="module")
def imports():
    """The import graph of the product, typing-only imports included."""
    return grimp.build_graph(*PRODUCT, include_external_packages=True, exclude_type_checking_imports=False)


def test_a_module_name_stands_once(tree):
    paths = [Path(name) for name, _ in tree]
    names = Counter(
        path.stem
        for path in paths
        if not path.stem.startswith("__") and path.stem not in SHARED_NAMES | {path.parent.name}
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_a_class_name_stands_once(tree):
    places: dict[str, list[str]] = {}
    for name, module in tree:
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_folder_holds_more_than_twenty_modules(tree):
    folders = Counter(str(Path(name).parent) for name, _ in tree if not name.endswith("__init__.py"))
    assert {folder: count for folder, count in folders.items() if count > 20} == {}


def test_only_two_rooms_import_ray(imports):
    importers = imports.find_modules_that_directly_import("ray")
    assert [name for name in sorted(importers) if not name.startswith(RAY_ROOMS)] == []


def test_no_module_is_in_an_import_cycle(imports):
    own = [name for name in imports.modules if name.partition(".")[0] in PRODUCT]
    graph = {name: imports.find_modules_directly_imported_by(name) for name in own}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_cli_and_deployments_import_themselves_relatively(tree):
    """A wheel has them as `ai3ray.cli` and `ai3ray.deployments`; only the entry chooses between the names."""
    found = [
        f"{name}:{node.lineno}"
        for name, module in tree
        if name != "ai3ray/entry.py"
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        )
        if not getattr(node, "level", 0) and target.partition(".")[0] in {"cli", "deployments"}
    ]
    assert found == []


def test_no_module_of_the_product_is_imported_by_string(tree):
    """A package of a vendor's may be imported by its name, which the code then spells out."""
    found = [
        f"{name}:{node.lineno}"
        for name, module in tree
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name | ast.Attribute)
        and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in {"import_module", "__import__"}
        and not (node.args and _names_another_package(node.args[0]))
    ]
    assert found == []


def _names_another_package(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and str(argument.value).partition(".")[0] not in PRODUCT
