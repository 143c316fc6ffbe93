"""Accepts and takes over runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol

from ai3ray.domain.events import Purpose, RunStart
from ai3ray.domain.ids import new_id
from ai3ray.domain.listings import Accepted
from ai3ray.domain.request import RunRequest
from ai3ray.errors import KeyReused, UnknownRun
from ai3ray.executor.acceptance import CheckedRequest
from ai3ray.executor.recovery import lost_calls
from ai3ray.journal.port import Journal, RunMeta


class Conduct(Protocol):
    """Starts a journaled run."""

    def __call__(self, run_id: str, request: RunRequest, *, watch: bool = False) -> None:
        """Start it; `watch` keeps deltas from the start."""
        ...


class Intake:
    """Accepts runs; `check` completes a request or raises UsageError."""

    def __init__(
        self,
        journal: Journal,
        *,
        check: Callable[[RunRequest], CheckedRequest],
        conduct: Conduct,
    ) -> None:
        self._journal = journal
        self._check = check
        self._conduct = conduct
        self._accepting: set[asyncio.Task[Accepted]] = set()

    async def accept(
        self, request: RunRequest, purpose: Purpose = "run", *, owner: str, key: str | None = None, watch: bool = False
    ) -> Accepted:
        """Journal the run, then start it, even if the caller is cancelled.

        Raises UsageError before anything is journaled, and KeyReused for another body.
        """
        # Ray Serve cancels the calls of disconnected clients, but a journaled run must be conducted.
        accepting = self._accept(request, purpose, owner=owner, key=key, watch=watch)
        task = asyncio.create_task(accepting, name="accept")
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        return await asyncio.shield(task)

    def take_over(self, run_id: str) -> None:
        """Continue an earlier core's run, whose open calls may have been paid."""
        state, meta = self._journal.state(run_id), self._journal.meta(run_id)
        self._journal.put(run_id, (), lost_calls(state), meta=meta.model_copy(update={"epoch": meta.epoch + 1}))
        self._conduct(run_id, RunRequest.model_validate(state.request))

    async def drain(self) -> None:
        """Wait until no run is being accepted."""
        await asyncio.gather(*self._accepting, return_exceptions=True)

    async def _accept(
        self, request: RunRequest, purpose: Purpose, *, owner: str, key: str | None, watch: bool
    ) -> Accepted:
        checked = self._check(request)
        body_hash = hashlib.sha256(request.model_dump_json(by_alias=True).encode()).hexdigest()
        scoped = f"{owner}:{key}" if key is not None else None
        if scoped is not None and (known := await self._find(scoped, body_hash)) is not None:
            return known
        run_id = new_id("run")
        body = checked.request.model_dump(mode="json", by_alias=True, exclude_none=True)
        receipt = self._journal.put(
            run_id,
            [RunStart(request=body, purpose=purpose), *checked.warnings],
            meta=RunMeta(owner=owner, request_key=scoped, request_hash=body_hash),
        )
        await receipt.committed()
        self._conduct(run_id, checked.request, watch=watch)
        return Accepted(run_id=run_id, status="queued")

    async def _find(self, key: str, body_hash: str) -> Accepted | None:
        found = self._journal.find_by_key(key)
        if found is None:
            return None
        run_id, known_hash = found
        if known_hash != body_hash:
            raise KeyReused("this Idempotency-Key was used with another body; use a new key")
        try:
            await self._journal.tail(run_id, 0)  # the first request may not be on disk yet
        except UnknownRun:
            return None  # it failed to get there
        return Accepted(run_id=run_id, status=self._journal.state(run_id).status)
