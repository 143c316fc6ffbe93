"""What is set for Ray, and where; without Ray."""

from __future__ import annotations

import ast
from pathlib import Path

from ai3ray.executor.ray import environment
from ai3ray.executor.ray.environment import OWN_RAY, QUIET, set_for_joining, set_for_own_ray, set_for_serve_run
from tests.house_figures import modules

ROOT = Path(__file__).parents[3]
HERE = "ai3ray/executor/ray"


def test_a_ray_of_our_own_gets_a_token_and_joins_no_other():
    environ = {"RAY_ADDRESS": "10.0.0.1:6379", "RAY_USAGE_STATS_ENABLED": "1", "RAY_worker_niceness": "5"}
    set_for_own_ray(environ)
    token = environ.pop("RAY_AUTH_TOKEN")
    assert len(token) == 64
    assert environ == OWN_RAY


def test_a_token_that_is_set_is_kept():
    environ = {"RAY_AUTH_TOKEN": "theirs"}
    set_for_own_ray(environ)
    assert environ["RAY_AUTH_TOKEN"] == "theirs"


def test_what_a_cluster_has_set_is_kept_by_those_who_join_it():
    environ = {"RAY_DEDUP_LOGS_SKIP_REGEX": "x", "RAY_AUTH_MODE": "token"}
    set_for_joining(environ)
    assert environ == {**QUIET, "RAY_DEDUP_LOGS_SKIP_REGEX": "x", "RAY_AUTH_MODE": "token"}


def test_serve_run_starts_its_own_ray_and_keeps_what_is_set():
    environ = {"RAY_ADDRESS": "auto", "RAY_worker_niceness": "5"}
    set_for_serve_run(environ)
    assert environ["RAY_ADDRESS"] == "local"
    assert environ["RAY_worker_niceness"] == "5"
    assert environ["RAY_raylet_start_wait_time_s"] == environment.PATIENT["RAY_raylet_start_wait_time_s"]


def test_the_variables_set_for_ray_stand_in_one_file():
    found = {
        name
        for name, tree, _ in modules(ROOT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in OWN_RAY
    }
    assert found <= {f"{HERE}/environment.py", f"{HERE}/patches.py"}


def test_rays_private_api_is_used_in_one_file():
    found = {
        name
        for name, tree, _ in modules(ROOT)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] == "ray"
        and ("._private" in (node.module or "") or any(alias.name.startswith("_") for alias in node.names))
    }
    assert found == {f"{HERE}/patches.py"}
