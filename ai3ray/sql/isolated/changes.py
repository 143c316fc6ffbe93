"""Track which runs have changed since a copy of the journal was made."""

from __future__ import annotations

from collections.abc import Iterable


class ChangedRuns:
    """A count of the journal's commits, with the latest commit of each changed run.

    A mark is a value of the count. Only changes since the oldest mark in use are kept.
    """

    def __init__(self) -> None:
        self._commits = 0
        self._known_from: int | None = None
        self._latest: dict[str, int] = {}

    def note(self, run_ids: Iterable[str]) -> None:
        """Record a commit of these runs: after it is on disk and before it is announced."""
        self._commits += 1
        if self._known_from is not None:
            for run_id in run_ids:
                self._latest.pop(run_id, None)  # reinserted, so that the newest come last
                self._latest[run_id] = self._commits

    def note_deletion(self) -> None:
        """Record a deletion of runs: no earlier copy can be brought up to date."""
        self._commits += 1
        self._latest.clear()
        if self._known_from is not None:
            self._known_from = self._commits

    def mark(self) -> int:
        """Return the current mark. A snapshot taken from now on contains all that `since(mark)` leaves out."""
        if self._known_from is None:
            self._known_from = self._commits
        return self._commits

    def since(self, mark: int) -> tuple[str, ...] | None:
        """Return the runs changed after the mark, newest first; None when that is unknown."""
        if self._known_from is None or mark < self._known_from:
            return None
        changed = []
        for run_id, commit in reversed(self._latest.items()):
            if commit <= mark:
                break
            changed.append(run_id)
        return tuple(changed)

    def forget(self, oldest: int | None) -> None:
        """Drop changes up to the oldest mark in use, or all when it is None."""
        if oldest is None:
            self._known_from = None
            self._latest.clear()
            return
        if self._known_from is not None:
            self._known_from = max(self._known_from, oldest)
        while self._latest:
            run_id = next(iter(self._latest))
            if self._latest[run_id] > oldest:
                return
            del self._latest[run_id]
