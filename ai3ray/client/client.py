"""The HTTP client of a server or the local head."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr

from ai3ray.client.server_connection import RestartHead, ServerConnection, run_path
from ai3ray.domain.events import Event, Stats
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import UsageError
from ai3ray.settings.model import Settings

PLAN_S = 900.0
"""Seconds for a plan, which a model writes."""
PRUNE_S = 900.0


class Client:
    """ai3ray over HTTP: `async with Client(url) as client`.

    Args:
        server: base URL of a server.
        socket: Unix socket of a head, instead of a server.
        key: sent as the bearer token.
        restart_head: called when the socket does not answer; returns the new head's socket.

    Raises:
        UsageError: neither server nor socket is given, or the server is not an http URL.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        socket: Path | None = None,
        key: SecretStr | None = None,
        restart_head: RestartHead | None = None,
    ) -> None:
        if server is None and socket is None:
            raise UsageError("give the URL of a server; ai3ray.connect finds the local head", "server")
        if server is not None and not server.startswith(("http://", "https://")):
            raise UsageError(f"the server must be a URL such as http://127.0.0.1:8000, not {server!r}", "server")
        self.remote = server is not None
        """True for a server, which has its own defaults; False for a head."""
        self._server = ServerConnection(server, socket, key, restart_head)

    @property
    def name(self) -> str:
        """The server's name in messages."""
        return self._server.name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────

    async def run(self, request: RunRequest, *, key: str | None = None) -> RunResult:
        """Run a request and return the finished run.

        Args:
            request: what to run.
            key: an idempotency key; repeating a request with its key returns the same run.

        Raises:
            UsageError: the request is wrong.
            HeadUnavailable: the server does not answer; an accepted run continues.
        """
        return await self.wait((await self.submit(request, key=key)).run_id)

    async def submit(self, request: RunRequest, *, key: str | None = None, deltas: bool = False) -> Accepted:
        """Start a run, which continues without this client, and return its id and status.

        Args:
            request: what to run.
            key: as in `run`; a random one when None.
            deltas: keep the pieces of answers for a later `events(deltas=True)`.

        Raises:
            UsageError: the request is wrong.
            HeadUnavailable: the server does not answer.
        """
        headers = {"idempotency-key": key or f"auto-{secrets.token_hex(16)}"}
        params = {"deltas": "true"} if deltas else {}
        return Accepted.model_validate(
            await self._server.json("POST", "/runs", body=request, params=params, headers=headers)
        )

    async def wait(self, run_id: str) -> RunResult:
        """Wait for the run's end and return it. Raises UnknownRun."""
        async with aclosing(self.events(run_id)) as events:
            async for _ in events:
                pass
        return await self.result(run_id)

    async def stream(self, request: RunRequest, *, key: str | None = None) -> AsyncGenerator[Event, None]:
        """Run a request and yield its events and pieces of its answers; the last event is `stats`."""
        accepted = await self.submit(request, key=key, deltas=True)
        async with aclosing(self.events(accepted.run_id, deltas=True)) as events:
            async for event in events:
                yield event

    async def events(self, run_id: str, after: int = 0, *, deltas: bool = False) -> AsyncGenerator[Event, None]:
        """Yield a run's events until its end; resume a broken stream where it broke.

        Args:
            run_id: the run's id.
            after: the `seq` to continue after.
            deltas: include pieces of answers.

        Raises:
            UnknownRun: there is no such run.
            HeadUnavailable: the stream broke and the server does not answer.
        """
        async with aclosing(self._server.events(run_id, after, deltas=deltas)) as events:
            async for event in events:
                yield event

    async def result(self, run_id: str) -> RunResult:
        """Return the run's current state. Raises UnknownRun."""
        return RunResult.model_validate(await self._server.json("GET", run_path(run_id)))

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunRow]:
        """List runs, newest first; `before` is the run id that the page starts after."""
        params = {"limit": str(limit)} | ({"before": before} if before else {})
        reply = await self._server.json("GET", "/runs", params=params)
        return [RunRow.model_validate(row) for row in reply["runs"]]

    async def cancel(self, run_id: str) -> RunResult:
        """Cancel the run, wait for its end and return it. Raises UnknownRun."""
        return RunResult.model_validate(await self._server.json("POST", f"{run_path(run_id)}/cancel"))

    async def resume(self, run_id: str) -> RunResult:
        """Resume the run if it has not ended, and return its current state. Raises UnknownRun."""
        return RunResult.model_validate(await self._server.json("POST", f"{run_path(run_id)}/resume"))

    async def plan(self, request: RunRequest) -> PlanPreview:
        """Plan a request and estimate its cost, without running it."""
        # One attempt only, since a second one could pay for a second plan.
        reply = await self._server.json("POST", "/plan", body=request, timeout_s=PLAN_S, tries=1)
        return PlanPreview.model_validate(reply)

    # ── the server ───────────────────────────────────────────────────────────────────────────────

    async def models(self) -> list[ModelView]:
        """Return all models with live telemetry."""
        return [ModelView.model_validate(view) for view in (await self._server.json("GET", "/models"))["models"]]

    async def stats(self) -> Stats:
        """Return statistics over all runs."""
        return Stats.model_validate(await self._server.json("GET", "/stats"))

    async def sql(self, query: str, max_rows: int = 10_000) -> Table:
        """Query the journal with one read-only SELECT. Raises RequestError for anything else."""
        reply = await self._server.json("POST", "/sql", body={"query": query, "limit": max_rows})
        rows = tuple(tuple(row[column] for column in reply["columns"]) for row in reply["rows"])
        columns, truncated = tuple(reply["columns"]), reply["truncated"]
        return Table(columns=columns, rows=rows, truncated=truncated, as_of=reply.get("as_of"))

    async def health(self) -> dict[str, Any]:
        """Return `{status, version, pid, runs_active}`, even while the engine boots."""
        return dict(await self._server.json("GET", "/healthz", tries=1))

    async def stop_head(self, *, idle: bool = False) -> None:
        """Stop the local head.

        Args:
            idle: only when no run is active.

        Raises:
            ServerRefused: status 409, a run is active.
        """
        await self._server.json("POST", "/head/stop", params={"idle": "true"} if idle else {}, tries=1)

    async def keep_head(self) -> None:
        """Keep the local head running when it is idle."""
        await self._server.json("POST", "/head/keep")

    async def serve(self, request: ServeRequest) -> AsyncGenerator[ServeState, None]:
        """Run the local head's TCP server while this is iterated, and yield each change of its state.

        Raises:
            ServerRefused: status 409, it already serves.
            HeadUnavailable: the head has stopped.
        """
        async with aclosing(self._server.lines("/head/serve", request)) as lines:
            async for line in lines:
                if line:
                    yield ServeState.model_validate_json(line)

    async def unserve(self) -> None:
        """Stop the local head's TCP server, and return when the port is free."""
        await self._server.json("POST", "/head/unserve", tries=1)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the local head's runs that ended at least `older_than_s` ago, or only count them."""
        body = {"older_than_s": older_than_s, "dry_run": dry_run}
        reply = await self._server.json("POST", "/head/prune", body=body, timeout_s=PRUNE_S, tries=1)
        return PruneReport.model_validate(reply)


def fill_request(request: RunRequest, settings: Settings, *, remote: bool) -> RunRequest:
    """Return the request with its unset fields filled from the caller's settings.

    Args:
        request: not changed.
        settings: only the explicit ones are used when `remote`.
        remote: true for a server, which has its own defaults.
    """
    names = {"planner_model", "max_concurrency", "max_tasks", "budget_usd", "verify", "repair_limit"}
    if remote:
        names &= settings.explicit
    filled = {name: getattr(settings, name) for name in names if getattr(request, name) is None}
    return request.model_copy(update=filled)
