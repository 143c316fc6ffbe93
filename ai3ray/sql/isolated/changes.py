"""Which runs have changed since a copy of the journal was made."""

from __future__ import annotations

from collections.abc import Iterable


class ChangedRuns:
    """The journal's commits, counted, and the latest one of each run that they touched.

    Nothing is remembered until somebody asks for a mark, and nothing from before the oldest mark in use.
    """

    def __init__(self) -> None:
        self._commits = 0
        self._known_from: int | None = None
        self._latest: dict[str, int] = {}

    def note(self, run_ids: Iterable[str]) -> None:
        """A commit touched these runs. To be called after it is on disk and before anybody is told."""
        self._commits += 1
        if self._known_from is not None:
            for run_id in run_ids:
                self._latest.pop(run_id, None)  # so that the newest stand last
                self._latest[run_id] = self._commits

    def note_deletion(self) -> None:
        """Runs were deleted: no copy from before is worth bringing up to date."""
        self._commits += 1
        self._latest.clear()
        if self._known_from is not None:
            self._known_from = self._commits

    def mark(self) -> int:
        """Where the journal stands. A snapshot taken from now on holds all that `since(mark)` leaves out."""
        if self._known_from is None:
            self._known_from = self._commits
        return self._commits

    def since(self, mark: int) -> tuple[str, ...] | None:
        """The runs that were touched after the mark; None when that is not known, so all may have been."""
        if self._known_from is None or mark < self._known_from:
            return None
        changed = []
        for run_id, commit in reversed(self._latest.items()):
            if commit <= mark:
                break
            changed.append(run_id)
        return tuple(changed)

    def forget(self, oldest: int | None) -> None:
        """Drop what is older than the oldest mark in use; None when there is none."""
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
