"""The driver's side of the trap in `plugin/sitecustomize.py`: it says where to strike, and reads what has happened."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Literal

PLUGIN = Path(__file__).parent / "plugin"

Side = Literal["before", "after"]
SIDES: tuple[Side, ...] = ("before", "after")


@dataclass(frozen=True)
class Point:
    """A commit of a run."""

    type: str
    """The type of an event."""
    nth: int
    """Which event of this type, from 1; the whole commit it is part of is meant."""
    side: Side
    """Just before that commit, or just after it."""


@dataclass(frozen=True)
class Struck:
    """A kill that has happened."""

    at: float
    """When, in seconds since the epoch."""
    lines: tuple[str, ...]
    """The events of the commit."""

    @property
    def run_id(self) -> str:
        return str(json.loads(self.lines[0])["run_id"])


class Trap:
    """Sets the trap of one home, again and again.

    Args:
        folder: for the plan and its traces.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = count(1)
        self._id = ""
        folder.mkdir(exist_ok=True)

    def env(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What the head's environment has to hold."""
        path = [str(PLUGIN), *filter(None, [inherited.get("PYTHONPATH")])]
        return {"CHAOS_FOLDER": str(self._folder), "PYTHONPATH": ":".join(path)}

    @property
    def armed(self) -> bool:
        """Whether a journal's writer has been found since the home was made."""
        return any(self._folder.glob("armed-*"))

    def set(self, point: Point, pids: Sequence[int], *, freeze: bool) -> None:
        """Strike at this commit.

        Args:
            point: which.
            pids: who is killed; the core itself when empty.
            freeze: whether the core, which will follow them, stands still at that commit.
        """
        self._id = f"kill{next(self._ids)}"
        plan = {"id": self._id, "type": point.type, "nth": point.nth, "side": point.side}
        draft = self._folder / "plan.draft"
        draft.write_text(json.dumps({**plan, "pids": list(pids), "freeze": freeze}))
        draft.rename(self._folder / "plan.json")

    def clear(self) -> None:
        """Strike no more, and note no more."""
        (self._folder / "plan.json").unlink(missing_ok=True)

    def struck(self) -> Struck | None:
        """What happened, if it has happened."""
        with suppress(FileNotFoundError, ValueError):
            told = json.loads((self._folder / f"{self._id}.struck").read_text())
            return Struck(told["at"], tuple(told["lines"]))
        return None

    async def strikes(self, within_s: float) -> Struck | None:
        """Wait for it; None when it does not happen."""
        deadline = time.monotonic() + within_s
        while (struck := self.struck()) is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        return struck

    def committed(self) -> list[str]:
        """The events that were on disk before the kill and after it, as far as a process lived to tell."""
        with suppress(FileNotFoundError):
            return (self._folder / f"{self._id}.committed").read_text().splitlines()
        return []
