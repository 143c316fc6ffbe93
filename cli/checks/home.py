"""AI3_HOME: its disk, its journal, its head."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ai3ray.client.head_paths import head_paths
from ai3ray.client.local_head import HEAD_FILE, HeadAddress, head_status, is_listening, read_head_file
from ai3ray.errors import Ai3Error, JournalLocked
from ai3ray.report.format import count

from ..command_context import CommandContext
from .finding import CheckStatus, Finding

LEAST_MB, LITTLE_MB = 100, 1000
ANSWER_S = 3.0
"""Seconds the head gets to report its status."""


async def check_home(context: CommandContext) -> list[Finding]:
    """Return the state of the home, its journal and its head."""
    home = context.settings.home
    written = read_head_file(home)
    head = written if written is not None and await asyncio.to_thread(is_listening, written.socket) else None
    return [*_folder(home), _sockets(home), await _head(context, written, head), await _journal(context, head)]


def _folder(path: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError:
        remedy = f"chown or chmod {existing}, or set AI3_HOME to a folder of yours"
        yield Finding("home", "fail", f"{path} cannot be written to", remedy)
    else:
        yield Finding("home", "ok", f"{path}{'' if existing == path else ' (made by the first run)'}")
    free = shutil.disk_usage(existing).free >> 20
    status: CheckStatus = "fail" if free < LEAST_MB else "warn" if free < LITTLE_MB else "ok"
    advice = None if status == "ok" else "free some space, or set AI3_HOME to another disk"
    yield Finding("disk", status, f"{free:,} MB free", advice)


def _sockets(path: Path) -> Finding:
    try:
        paths = head_paths(path)
    except (Ai3Error, OSError) as error:
        return Finding("socket", "fail", str(error), "remove that folder, or choose a shorter AI3_HOME")
    return Finding("socket", "ok", str(paths.socket))


async def _head(context: CommandContext, written: HeadAddress | None, head: HeadAddress | None) -> Finding:
    if head is None:
        if written is not None or (context.settings.home / HEAD_FILE).exists():
            remedy = "none needed: the next run starts a new one"
            return Finding("head", "warn", f"stale {HEAD_FILE}: no head answers", remedy)
        return Finding("head", "ok", "not running; the next run starts it")
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await head_status(context.settings)
    except (TimeoutError, Ai3Error) as error:
        reason = str(error) or f"no answer within {ANSWER_S:g} s"
        return Finding("head", "fail", f"pid {head.pid}: {reason}", f"ai3 down; if that hangs, kill {head.pid}")
    if found is None or found.status == "failed":
        log = context.settings.home / "head.log"
        return Finding("head", "fail", f"pid {head.pid} could not start its engine", f"see {log}, then ai3 down")
    state = f"pid {head.pid} is {found.status}, {count(found.runs_active, 'active run')}"
    difference = head.differs(context.settings, context.env)
    if difference is not None:
        remedy = "none needed: it is replaced when idle; or ai3 down"
        return Finding("head", "warn", f"{state}; it {difference}", remedy)
    return Finding("head", "ok", state)


async def _journal(context: CommandContext, head: HeadAddress | None) -> Finding:
    path = context.settings.journal_path
    if head is not None:
        return Finding("journal", "ok", f"{path}, held by the local head (pid {head.pid})")
    if not path.exists():
        return Finding("journal", "ok", f"{path} (made by the first run)")
    from ai3ray.journal.reader import JournalReader  # late: it loads DuckDB, which another check may find broken

    try:
        reader = await JournalReader.open(path)
    except JournalLocked as error:
        holder = f"process {error.pid}" if error.pid else "another process"
        return Finding("journal", "warn", f"{path} is held by {holder}", "wait until it ends, or stop it")
    except Ai3Error as error:
        return Finding("journal", "fail", str(error), f"move {path} away; the next run makes a new one")
    await reader.aclose()
    return Finding("journal", "ok", f"{path}, not in use")
