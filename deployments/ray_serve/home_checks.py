"""Check home and settings before Ray Serve starts; a refusal ends `serve run` in one line.

`serve run` calls `ray.init` after it has imported the app, so Ray's variables are set here, too.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import ray

from ai3ray.client.local_head import find_head
from ai3ray.domain.access import AccessRules
from ai3ray.errors import Ai3Error, HeadUnavailable, JournalError, JournalLocked
from ai3ray.executor.ray import patches
from ai3ray.executor.ray.actors import CORE_NAME, NAMESPACE
from ai3ray.executor.ray.environment import set_for_serve_run
from ai3ray.settings.access_rules import access_rules
from ai3ray.settings.load import load_settings, merged_env
from ai3ray.settings.model import Settings

from ..local_head.processes import processes

LOCKED_S = 10.0
"""Seconds in which a stopping process may close the journal."""


def prepare() -> tuple[Settings | None, AccessRules | None]:
    """Return settings and rules for the replicas; None in another cluster, where only the nodes have them.

    Raises:
        Ai3Error: the home or the settings do not allow serving; under `serve run` the command ends instead.
    """
    address = (_serve_command() or {}).get("address") or os.environ.get("RAY_ADDRESS", "local")
    if not ray.is_initialized() and address != "local":
        return None, None
    try:
        settings = node_settings()
        rules = access_rules(settings, serve_host())
        if not _core_is_here():
            check_home(settings)
        if not ray.is_initialized():
            _configure_ray(settings)
    except Ai3Error as error:
        _refuse(error)
        raise
    return settings, rules


def node_settings() -> Settings:
    """Load this node's settings."""
    return load_settings(env=merged_env())


def serve_host() -> str:
    """Return the address that Serve listens on, or will."""
    from ray.serve.config import HTTPOptions

    host = patches.serve_http_host() if ray.is_initialized() else None
    return (HTTPOptions().host or "") if host is None else host


def check_home(settings: Settings) -> None:
    """Check that no other process owns the home.

    Raises:
        HeadUnavailable: its local head is running.
        JournalLocked: another process has held its journal for 10 s.
    """
    head = find_head(settings)
    if head is not None:
        raise HeadUnavailable(
            f"the local head (pid {head.pid}) owns {settings.home}: stop it with `ai3 down`, "
            "or have it serve with `ai3 serve`"
        )
    if settings.journal_path.exists():
        # In a thread: the caller may have a running event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _open_once(settings.journal_path)).result()


async def _open_once(path: Path) -> None:
    from ai3ray.journal.connection import connect

    try:
        (await connect(path, read_only=True, wait_s=LOCKED_S)).close()
    except JournalLocked as error:
        message = (
            f"process {error.pid} owns the journal {path}: stop it (Ctrl-C in its `serve run`), "
            "or set AI3_HOME to another folder"
        )
        raise JournalLocked(message, error.pid) from error
    except JournalError:
        return  # for example an older schema, which the core migrates


def _configure_ray(settings: Settings) -> None:
    """Set the variables for the Ray that `serve run` will start: its own, lean, with the keys of `.env`."""
    os.environ.update(merged_env())
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Without a bytecode cache all of Ray's processes compile their modules at every start: 17 s of CPU, not 7.
        cache = settings.home / "pycache"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache))
    set_for_serve_run(os.environ)
    patches.make_lean()
    patches.read_environment_again(os.environ)


def _core_is_here() -> bool:
    """Return whether this Ray has the core, which then owns the home."""
    if not ray.is_initialized():
        return False
    try:
        ray.get_actor(CORE_NAME, namespace=NAMESPACE)
    except ValueError:
        return False
    return True


def _refuse(error: Ai3Error) -> None:
    """End the `serve` command or its build task with one line; return in any other program."""
    line = f"ai3: {error.message}"
    if _serve_command() is not None:
        print(line, file=sys.stderr)  # noqa: T201 - the command's output
        raise SystemExit(error.exit_code)
    if patches.in_worker():
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - Ray shows it in the driver's terminal
        _interrupt_driver()


def _serve_command() -> dict[str, Any] | None:
    """Return the options of the running `serve run` or `serve build`; None in any other process."""
    context = click.get_current_context(silent=True)
    return context.params if context is not None and context.info_name in ("run", "build") else None


def _interrupt_driver() -> None:
    """Interrupt the `serve run FILE` that started this build task, which else waits for ever for a refused app.

    Do so only if it is this Ray's only driver, on this machine.
    """
    here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    drivers = patches.drivers()
    if len(drivers) != 1 or drivers[0].address != here:
        return
    for process in processes():
        if process.pid == drivers[0].pid and re.search(r"\bserve\b.* run\b", process.command):
            os.kill(process.pid, signal.SIGINT)
