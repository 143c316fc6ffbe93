"""The runner's client of the core."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import TextDelta
from ai3ray.domain.lease import RUN_STOPPED, Lease, LeaseRequest, Refusal, Settlement
from ai3ray.errors import Ai3Error, BudgetSpent, EngineError, NoModelLeft
from ai3ray.executor.port import CorePort, Entries, Granted, Sync


class LeaseRefused(NoModelLeft):
    """The request will never be granted; `info` says why."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info

    @property
    def over_budget(self) -> bool:
        """Return whether the budget is the reason."""
        return self.info.type == BudgetSpent.type


class EntriesRefused(Ai3Error):
    """The run has ended or has another owner."""

    type = "refused"


@dataclass
class _Outbox:
    settlements: list[Settlement] = field(default_factory=list)
    entries: list[Entries] = field(default_factory=list)
    leases: list[LeaseRequest] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    deltas: list[TextDelta] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.settlements or self.entries or self.leases or self.withdrawn or self.deltas)


class CoreClient:
    """Sends one sync at a time; messages gather in between."""

    def __init__(self, core: CorePort, runner_id: str) -> None:
        self._core = core
        self._runner_id = runner_id
        self._outbox = _Outbox()
        self._requests: dict[str, asyncio.Future[Lease]] = {}
        self._puts: dict[str, list[asyncio.Future[None]]] = {}  # one key may be put several times
        self._watched: frozenset[str] = frozenset()
        self._sender: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    async def lease(self, request: LeaseRequest) -> Lease:
        """Wait for a lease; cancelling withdraws the request.

        Raises LeaseRefused, CancelledError if the run is being stopped, or EngineError if the core is gone.
        """
        granted: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self._requests[request.request_id] = granted
        self._outbox.leases.append(request)
        self._wake()
        try:
            return await granted
        except asyncio.CancelledError:
            if self._requests.pop(request.request_id, None) is not None:
                self._outbox.withdrawn.append(request.request_id)
            elif granted.done() and not granted.cancelled() and granted.exception() is None:
                self._give_back(granted.result())  # granted and cancelled in the same turn of the loop
            self._wake()
            raise

    def settle(self, settlement: Settlement) -> None:
        """Settle a lease."""
        self._outbox.settlements.append(settlement)
        self._wake()

    async def put(self, entries: Entries) -> None:
        """Return once the journal accepts the entries.

        Raises EntriesRefused, or EngineError if the core is gone.
        """
        placed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._puts.setdefault(entries.key, []).append(placed)
        self._outbox.entries.append(entries)
        self._wake()
        try:
            await placed
        finally:
            self._puts[entries.key].remove(placed)
            if not self._puts[entries.key]:
                del self._puts[entries.key]

    def delta(self, delta: TextDelta) -> None:
        """Send a piece of text if watched."""
        if delta.run_id not in self._watched:
            return
        waiting = self._outbox.deltas
        if waiting and (waiting[-1].task_id, waiting[-1].run_id) == (delta.task_id, delta.run_id):
            waiting[-1] = waiting[-1].model_copy(update={"text": waiting[-1].text + delta.text})
        else:
            waiting.append(delta)
        self._wake()

    async def flush(self) -> None:
        """Return once all messages are sent."""
        while self._sender is not None and not self._sender.done():
            await asyncio.shield(self._sender)

    async def aclose(self) -> None:
        """Stop listening and sending."""
        tasks = [task for task in (self._sender, self._listener) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _wake(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send(), name="core-client-send")

    async def _send(self) -> None:
        await asyncio.sleep(0)  # messages of the same turn of the loop go together
        while self._outbox:
            batch, self._outbox = self._outbox, _Outbox()
            try:
                synced = await self._core.sync(
                    Sync(
                        runner_id=self._runner_id,
                        settlements=tuple(batch.settlements),
                        entries=tuple(batch.entries),
                        leases=tuple(batch.leases),
                        withdrawn=tuple(batch.withdrawn),
                        deltas=tuple(batch.deltas),
                    )
                )
            except Ai3Error as error:
                self._fail(error)
                return
            for entries in batch.entries:
                refused = synced.refused.get(entries.key)
                for placed in self._puts.get(entries.key, ()):
                    if placed.done():
                        continue
                    if refused is None:
                        placed.set_result(None)
                    else:
                        placed.set_exception(EntriesRefused(refused.message))
            self._granted(synced)

    def _granted(self, granted: Granted) -> None:
        self._watched = frozenset(granted.watched)
        for grant in granted.grants:
            request = self._requests.pop(grant.request_id, None)
            if isinstance(grant, Refusal):
                if request is not None and not request.done():
                    stopped = grant.error.type == RUN_STOPPED
                    request.cancel() if stopped else request.set_exception(LeaseRefused(grant.error))
            elif request is None or request.done():
                self._give_back(grant)
            else:
                request.set_result(grant)
        if self._requests and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._listen(), name="core-client-listen")

    async def _listen(self) -> None:
        while self._requests:
            try:
                self._granted(await self._core.grants(self._runner_id))
            except Ai3Error as error:
                self._fail(error)
                return

    def _give_back(self, lease: Lease) -> None:
        self.settle(Settlement(attempt_id=lease.attempt_id, token=lease.token, status="cancelled"))

    def _fail(self, error: Ai3Error) -> None:
        waiting: list[asyncio.Future[Any]] = [*self._requests.values(), *chain.from_iterable(self._puts.values())]
        self._requests.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(EngineError(f"the core does not answer: {error}"))
