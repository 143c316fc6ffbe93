"""Which home the app on Ray Serve works for, and whether it is free: found out before anything is started.

`serve run` calls `ray.init` itself, after it has asked for the app; what has to be known or set before
is looked after here. Refusals end that command in one line.
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
"""Seconds that a process which is going gets to let go of the journal."""


def prepare() -> tuple[Settings | None, AccessRules | None]:
    """Settings and rules for the replicas; None for both where only the cluster's nodes can tell.

    Raises:
        Ai3Error: it cannot be served so. Under `serve run` the command ends instead, with that line.
    """
    address = (_serve_command() or {}).get("address") or os.environ.get("RAY_ADDRESS", "local")
    if not ray.is_initialized() and address != "local":
        return None, None  # somebody's cluster: home and keys are those of its nodes
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
    """This node's settings."""
    return load_settings(env=merged_env())


def serve_host() -> str:
    """The address that Serve listens on, or is about to."""
    from ray.serve.config import HTTPOptions

    host = patches.serve_http_host() if ray.is_initialized() else None
    return (HTTPOptions().host or "") if host is None else host


def check_home(settings: Settings) -> None:
    """See that nobody else owns the home.

    Raises:
        HeadUnavailable: its local head is up.
        JournalLocked: another process has held its journal for 10 s.
    """
    head = find_head(settings)
    if head is not None:
        raise HeadUnavailable(
            f"the local head (pid {head.pid}) owns {settings.home}: stop it with `ai3 down`, "
            "or serve it with `ai3 serve`"
        )
    if settings.journal_path.exists():
        # In a thread: whoever wants the app may have a loop running.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _open_once(settings.journal_path)).result()


async def _open_once(path: Path) -> None:
    from ai3ray.journal.connection import connect

    try:
        (await connect(path, read_only=True, wait_s=LOCKED_S)).close()
    except JournalLocked as error:
        message = (
            f"process {error.pid} owns the journal {path}: end it (Ctrl-C of its `serve run`), or use another AI3_HOME"
        )
        raise JournalLocked(message, error.pid) from error
    except JournalError:
        return  # such as: its schema is older. The core, which may write, deals with that


def _configure_ray(settings: Settings) -> None:
    """See to it that the Ray which `serve run` is about to start is ours, lean, and knows the keys of `.env`."""
    os.environ.update(merged_env())
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        # Otherwise each of Ray's processes would compile itself at every start: 17 seconds of CPU, not 7.
        cache = settings.home / "pycache"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache))
    set_for_serve_run(os.environ)
    patches.make_lean()
    patches.read_environment_again(os.environ)


def _core_is_here() -> bool:
    """Whether this Ray has our core already: then the home is owned by whom it should be."""
    if not ray.is_initialized():
        return False
    try:
        ray.get_actor(CORE_NAME, namespace=NAMESPACE)
    except ValueError:
        return False
    return True


def _refuse(error: Ai3Error) -> None:
    """End the command that asked for the app, in one line; return where there is none, such as in a program."""
    line = f"ai3: {error.message}"
    if _serve_command() is not None:
        print(line, file=sys.stderr)  # noqa: T201 - what the command says
        raise SystemExit(error.exit_code)
    if patches.in_worker():
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - Ray shows it in the driver's terminal
        _interrupt_driver()


def _serve_command() -> dict[str, Any] | None:
    """The options of the `serve` command that this process is; None when it is none."""
    context = click.get_current_context(silent=True)
    return context.params if context is not None and context.info_name in ("run", "build") else None


def _interrupt_driver() -> None:
    """`serve run FILE` has this task build the app and would wait for ever beside one that was refused.

    So it gets the signal of a Ctrl-C, upon which it takes Serve down: if it is that command, on this
    machine, and nobody else uses this Ray.
    """
    here = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    drivers = patches.drivers()
    if len(drivers) != 1 or drivers[0].address != here:
        return
    for process in processes():
        if process.pid == drivers[0].pid and re.search(r"\bserve\b.* run\b", process.command):
            os.kill(process.pid, signal.SIGINT)
