"""The trap: kills a process exactly before or after a commit of the journal.

Python imports a module of this name at its start, so a head whose PYTHONPATH holds this folder, and every process of
its Ray, loads it; nothing of the product knows of it. It waits for the journal's writer to be imported, and stands
around the one method through which every commit goes. A plan in the folder named by CHAOS_FOLDER says at which commit
to strike, once. The driver's side is `tests/chaos/trap.py`.

MODULE, CLASS, METHOD and `_lines` are all it knows of the journal: what is renamed there is renamed here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

MODULE, CLASS, METHOD = "ai3ray.journal.writer", "Writer", "write"

SLOW_S = 0.1
"""Seconds that a commit is under way when the kill comes before its end: whatever does not wait for it gets out."""
FREEZE_S = 10.0
"""Seconds that a core stands still at its commit when it is about to be killed together with its head."""


def _lines(batch):
    """The events that a call of METHOD commits, as the lines of JSON that readers get."""
    return [line.body for line in batch.history]


class Trap:
    """Sees every commit of this process."""

    def __init__(self, folder):
        self._folder = Path(folder)
        self._seen = Counter()
        (self._folder / f"armed-{os.getpid()}").touch()

    def around(self, commit):
        """METHOD, watched."""

        def watched(writer, batch, *args, **kwargs):
            plan, lines = self._plan(), _lines(batch)
            if plan is None:
                return commit(writer, batch, *args, **kwargs)
            due = self._is_due(plan, lines)
            if due and plan["side"] == "before":
                time.sleep(SLOW_S)
                self._strike(plan, lines)
            result = commit(writer, batch, *args, **kwargs)
            self._note(plan["id"], lines)
            if due and plan["side"] == "after":
                self._strike(plan, lines)
            return result

        return watched

    def _plan(self):
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self._folder / "plan.json").read_text())
        return None

    def _is_due(self, plan, lines):
        """Whether this commit holds the event that the plan names: the n-th of its type since the plan was made."""
        key = plan["id"], plan["type"]
        before = self._seen[key]
        self._seen[key] += sum(json.loads(line)["type"] == plan["type"] for line in lines)
        return before < plan["nth"] <= self._seen[key] and not self._path(plan["id"], "struck").exists()

    def _note(self, plan_id, lines):
        """What is on disk now: no reader may ever see it lost or changed."""
        entry = "".join(f"{line}\n" for line in lines).encode()
        file = os.open(self._path(plan_id, "committed"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, entry)
        os.close(file)

    def _strike(self, plan, lines):
        marker = os.open(self._path(plan["id"], "struck"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(marker, json.dumps({"at": time.time(), "by": os.getpid(), "lines": lines}).encode())
        os.close(marker)
        for pid in plan["pids"] or [os.getpid()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if plan["freeze"]:
            time.sleep(FREEZE_S)

    def _path(self, plan_id, what):
        return self._folder / f"{plan_id}.{what}"


class Watcher:
    """Finds MODULE when it is imported, and puts the trap into it."""

    def __init__(self, folder):
        self._folder = folder

    def find_spec(self, name, path=None, target=None):
        """See importlib.abc.MetaPathFinder."""
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def load_with_trap(module):
            load(module)
            owner = getattr(module, CLASS)
            setattr(owner, METHOD, Trap(self._folder).around(getattr(owner, METHOD)))

        spec.loader.exec_module = load_with_trap
        return spec


if folder := os.environ.get("CHAOS_FOLDER"):
    sys.meta_path.insert(0, Watcher(folder))
