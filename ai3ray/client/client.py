"""The HTTP and SSE client of a server or the local head, for the CLI and for programs."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from pydantic import SecretStr, ValidationError

from ai3ray.domain.events import Event, Stats, parse_event
from ai3ray.domain.listings import Accepted, ModelView, PlanPreview, PruneReport, RunRow, Table
from ai3ray.domain.request import RunRequest
from ai3ray.domain.result import RunResult
from ai3ray.domain.run import TERMINAL
from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import (
    REBUILT,
    Ai3Error,
    HeadUnavailable,
    ServerRefused,
    Throttled,
    Unauthenticated,
    UnknownRun,
    UsageError,
)
from ai3ray.settings.model import Settings

if TYPE_CHECKING:
    import httpx

ANSWER_S = 120.0
"""Seconds for an answer; a booting head answers once it has booted."""
PLAN_S = 900.0
"""Seconds for a plan, which a model writes."""
PRUNE_S = 900.0
"""Seconds for deleting old runs."""
SILENCE_S = 60.0
"""Seconds without a byte until a stream counts as broken; the server pings every 15."""
MAX_RETRY_AFTER_S = 60.0
"""The longest `Retry-After` to wait for, in seconds."""
PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses between attempts, in seconds; after the last attempt the server counts as unavailable."""

_TLS_ERRORS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; set SSL_CERT_FILE to a file of trusted ones",
    "WRONG_VERSION_NUMBER": "it does not speak TLS: try http://",
    "RECORD_LAYER_FAILURE": "it does not speak TLS: try http://",
}

RestartHead = Callable[[], Awaitable[Path]]


class Client:
    """ai3ray over HTTP: `async with Client(url) as client`.

    Args:
        server: base URL of a server.
        socket: Unix socket of a head, instead of a server.
        key: sent as the bearer token.
        restart_head: starts a head when the socket does not answer, and returns its socket.

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
            raise UsageError("name a server; ai3ray.connect finds the local head", "server")
        if server is not None and not server.startswith(("http://", "https://")):
            raise UsageError(f"the server must be a URL such as http://127.0.0.1:8000, not {server!r}", "server")
        self._server = server
        self._socket = socket
        self._key = key
        self._restart_head = restart_head
        self._http: httpx.AsyncClient | None = None

    @property
    def remote(self) -> bool:
        """True for a server, which applies defaults of its own."""
        return self._server is not None

    @property
    def name(self) -> str:
        """The server's name in messages."""
        return self._server or "the local head"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────

    async def run(self, request: RunRequest, *, key: str | None = None) -> RunResult:
        """Run a request and wait for its end.

        Args:
            request: the request.
            key: an idempotency key; the same key and request again give the same run.

        Raises:
            UsageError: the request is wrong.
            HeadUnavailable: the server does not answer; an accepted run goes on.
        """
        return await self.wait((await self.submit(request, key=key)).run_id)

    async def submit(self, request: RunRequest, *, key: str | None = None, deltas: bool = False) -> Accepted:
        """Start a run that is durable and goes on by itself.

        Args:
            request: the request.
            key: as in `run`; a random one when None.
            deltas: keep pieces of answers from the first on, for a later `events(deltas=True)`.

        Raises:
            UsageError: the request is wrong.
            HeadUnavailable: the server does not answer.
        """
        headers = {"idempotency-key": key or f"auto-{secrets.token_hex(16)}"}
        params = {"deltas": "true"} if deltas else {}
        return Accepted.model_validate(await self._json("POST", "/runs", body=request, params=params, headers=headers))

    async def wait(self, run_id: str) -> RunResult:
        """Wait for the run's end and return it. Raises UnknownRun."""
        async with aclosing(self.events(run_id)) as events:
            async for _ in events:
                pass
        return await self.result(run_id)

    async def stream(self, request: RunRequest, *, key: str | None = None) -> AsyncGenerator[Event, None]:
        """Run a request and yield its events, pieces of answers among them; the last is `stats`."""
        accepted = await self.submit(request, key=key, deltas=True)
        async with aclosing(self.events(accepted.run_id, deltas=True)) as events:
            async for event in events:
                yield event

    async def events(self, run_id: str, after: int = 0, *, deltas: bool = False) -> AsyncGenerator[Event, None]:
        """Yield a run's events until its end; a broken stream is continued where it broke.

        Args:
            run_id: the run.
            after: the `seq` to go on after.
            deltas: include pieces of answers.

        Raises:
            UnknownRun: there is no such run.
            HeadUnavailable: the stream broke and the server does not answer.
        """
        failures, error = 0, HeadUnavailable(f"{self.name} ended the stream early")
        while failures <= len(PAUSES_S):
            if failures:
                await asyncio.sleep(PAUSES_S[failures - 1])
            received = False
            try:
                async with aclosing(self._stream(run_id, after, deltas)) as events:
                    async for event in events:
                        received, failures, after = True, 0, max(after, event.seq)
                        yield event
                        if event.type == "stats":
                            return
                if not received and (await self.result(run_id)).status in TERMINAL:
                    return  # `after` is the last event
            except Throttled as full:
                await _wait_as_asked(full)
                error = HeadUnavailable(full.message)
            except HeadUnavailable as broken:
                error = broken
            failures += 1
        raise HeadUnavailable(f"{error.message}; run {run_id} is kept there: ai3 runs watch {run_id}") from error

    async def result(self, run_id: str) -> RunResult:
        """Return the run in its present state. Raises UnknownRun."""
        return RunResult.model_validate(await self._json("GET", f"/runs/{_segment(run_id)}"))

    async def runs(self, limit: int = 50, before: str | None = None) -> list[RunRow]:
        """List runs, newest first; `before` is the run id that the page starts after."""
        params = {"limit": str(limit)} | ({"before": before} if before else {})
        reply = await self._json("GET", "/runs", params=params)
        return [RunRow.model_validate(row) for row in reply["runs"]]

    async def cancel(self, run_id: str) -> RunResult:
        """Cancel the run, wait for its end and return it. Raises UnknownRun."""
        return RunResult.model_validate(await self._json("POST", f"/runs/{_segment(run_id)}/cancel"))

    async def resume(self, run_id: str) -> RunResult:
        """Make the run go on if it has not ended, and return its present state. Raises UnknownRun."""
        return RunResult.model_validate(await self._json("POST", f"/runs/{_segment(run_id)}/resume"))

    async def plan(self, request: RunRequest) -> PlanPreview:
        """Plan without running. One attempt only: a second one could pay for a second plan."""
        reply = await self._json("POST", "/plan", body=request, timeout_s=PLAN_S, tries=1)
        return PlanPreview.model_validate(reply)

    # ── the server ───────────────────────────────────────────────────────────────────────────────

    async def models(self) -> list[ModelView]:
        """Return the registry with live telemetry."""
        return [ModelView.model_validate(view) for view in (await self._json("GET", "/models"))["models"]]

    async def stats(self) -> Stats:
        """Sum up all runs in figures."""
        return Stats.model_validate(await self._json("GET", "/stats"))

    async def sql(self, query: str, max_rows: int = 10_000) -> Table:
        """Query the journal with one read-only SELECT. Raises RequestError for anything else."""
        reply = await self._json("POST", "/sql", body={"query": query, "limit": max_rows})
        rows = tuple(tuple(row[column] for column in reply["columns"]) for row in reply["rows"])
        columns, truncated = tuple(reply["columns"]), reply["truncated"]
        return Table(columns=columns, rows=rows, truncated=truncated, as_of=reply.get("as_of"))

    async def health(self) -> dict[str, Any]:
        """Return `{status, version, pid, runs_active}`, also while the engine boots."""
        return dict(await self._json("GET", "/healthz", tries=1))

    async def stop_head(self, *, idle: bool = False) -> None:
        """Stop the local head.

        Args:
            idle: only when no run is active.

        Raises:
            ServerRefused: status 409, a run is active.
        """
        await self._json("POST", "/head/stop", params={"idle": "true"} if idle else {}, tries=1)

    async def keep_head(self) -> None:
        """Keep the local head up without runs."""
        await self._json("POST", "/head/keep")

    async def serve(self, request: ServeRequest) -> AsyncGenerator[ServeState, None]:
        """Make the local head serve on TCP while this is read, and yield each change of its state.

        Raises:
            ServerRefused: status 409, it serves already.
            HeadUnavailable: the head has stopped.
        """
        import httpx

        path, timeout = "/head/serve", httpx.Timeout(ANSWER_S, read=SILENCE_S)
        content = request.model_dump_json()
        try:
            async with self._session().stream("POST", path, content=content, timeout=timeout) as response:
                if response.status_code >= 400:
                    raise self._error_from_response(response, await response.aread(), path)
                async for line in response.aiter_lines():
                    if line:  # empty lines are signs of life
                        yield ServeState.model_validate_json(line)
        except httpx.TransportError as error:
            raise self._unavailable(error) from error

    async def unserve(self) -> None:
        """Make the local head stop serving on TCP, and return when the port is free."""
        await self._json("POST", "/head/unserve", tries=1)

    async def prune(self, older_than_s: float, *, dry_run: bool = False) -> PruneReport:
        """Delete the local head's runs that ended more than so many seconds ago, or only count them."""
        body = {"older_than_s": older_than_s, "dry_run": dry_run}
        reply = await self._json("POST", "/head/prune", body=body, timeout_s=PRUNE_S, tries=1)
        return PruneReport.model_validate(reply)

    # ── the wire ─────────────────────────────────────────────────────────────────────────────────

    async def _json(
        self,
        method: str,
        path: str,
        *,
        body: RunRequest | Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
        tries: int = len(PAUSES_S),
    ) -> Any:
        """Send a request; repeat it while the server does not answer, up to `tries` attempts."""
        sent = {"content-type": "application/json"} | dict(headers or {})
        options = {"params": params, "content": _content(body), "headers": sent, "timeout": timeout_s}
        for pause in PAUSES_S[: tries - 1]:
            try:
                return await self._exchange(method, path, options)
            except Throttled as error:
                await _wait_as_asked(error)
            except HeadUnavailable as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise  # the server is up and slow: a repetition would not help
                await asyncio.sleep(pause)
                if self._restart_head is not None:  # the head may have stopped in the middle of the request
                    self._socket = await self._restart_head()
                    await self.aclose()
        return await self._exchange(method, path, options)

    async def _exchange(self, method: str, path: str, options: Mapping[str, Any]) -> Any:
        import httpx

        try:
            response = await self._session().request(method, path, **options)
        except httpx.ReadTimeout as error:
            raise self._unavailable(error) from TimeoutError(f"no answer to {method} {path} in time")
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        if response.status_code >= 400:
            raise self._error_from_response(response, response.content, path)
        try:
            return response.json()
        except ValueError as error:
            raise ServerRefused(
                f"{self.name} did not answer in JSON: it is not an ai3ray server", response.status_code
            ) from error

    async def _stream(self, run_id: str, after: int, deltas: bool) -> AsyncGenerator[Event, None]:
        """Yield the events of one connection."""
        import httpx
        from httpx_sse import SSEError, aconnect_sse

        options: dict[str, Any] = {
            "params": {"deltas": "true"} if deltas else {},
            "headers": {"last-event-id": str(after)},
            "timeout": httpx.Timeout(ANSWER_S, read=SILENCE_S),
        }
        try:
            path = f"/runs/{_segment(run_id)}/events"
            async with aconnect_sse(self._session(), "GET", path, **options) as source:
                if source.response.status_code >= 400:
                    raise self._error_from_response(source.response, await source.response.aread(), path)
                async with aclosing(source.aiter_sse()) as messages:
                    async for message in messages:
                        if message.data:  # a comment makes a message without data
                            yield parse_event(message.data)
        except httpx.TransportError as error:
            raise self._unavailable(error) from error
        except (SSEError, ValidationError) as error:
            raise ServerRefused(f"{self.name} sent events that this version cannot read: {error}") from error

    def _session(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            headers = {"authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}
            if self._server is not None:
                self._http = httpx.AsyncClient(base_url=self._server, headers=headers)
            else:
                transport = httpx.AsyncHTTPTransport(uds=str(self._socket))
                self._http = httpx.AsyncClient(transport=transport, base_url="http://head", headers=headers)
        return self._http

    def _unavailable(self, error: Exception) -> HeadUnavailable:
        reason = str(error) or type(error).__name__
        for mark, words in _TLS_ERRORS.items():
            reason = words if mark in reason else reason
        return HeadUnavailable(f"{self.name} does not answer: {reason}")

    def _error_from_response(self, response: httpx.Response, body: bytes, path: str) -> Ai3Error:
        """Return the error of a response; one about the key names AI3_SERVER_KEY."""
        error = error_from_reply(response.status_code, body, path)
        if response.status_code == 401:
            problem = "does not know the key in AI3_SERVER_KEY" if self._key else "requires a key; set AI3_SERVER_KEY"
            return Unauthenticated(f"{self.name} {problem}")
        if isinstance(error, Throttled):
            after = response.headers.get("retry-after", "")
            return Throttled(error.message, float(after) if after.isdigit() else error.retry_after_s)
        return error


def fill_request(request: RunRequest, settings: Settings, *, remote: bool) -> RunRequest:
    """Return the request with its open fields filled from the settings.

    Args:
        request: the request.
        settings: the caller's settings.
        remote: true for a server with defaults of its own: only explicit settings are sent.
    """
    names = {"planner_model", "max_concurrency", "max_tasks", "budget_usd", "verify", "repair_limit"}
    if remote:
        names &= settings.explicit
    filled = {name: getattr(settings, name) for name in names if getattr(request, name) is None}
    return request.model_copy(update=filled)


def error_from_reply(status: int, body: bytes, path: str = "") -> Ai3Error:
    """Return the error of an error envelope."""
    try:
        error = json.loads(body)["error"]
        kind, message, param = str(error["type"]), str(error["message"]), error.get("param")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServerRefused(f"the server answered with status {status}", status)
    if kind == UnknownRun.type and path.startswith("/runs/"):  # any other path that is not found has this type too
        return UnknownRun(message)
    rebuilt = REBUILT.get(kind)
    if rebuilt is None:
        return ServerRefused(message, status, kind, param)
    return rebuilt(message, param) if issubclass(rebuilt, UsageError) else rebuilt(message)


async def _wait_as_asked(error: Throttled) -> None:
    """Wait as long as the server demands, or raise the error if that is too long."""
    if error.retry_after_s > MAX_RETRY_AFTER_S:
        raise error
    await asyncio.sleep(error.retry_after_s)


def _content(body: RunRequest | Mapping[str, Any] | None) -> str | None:
    if isinstance(body, RunRequest):
        return body.model_dump_json(by_alias=True, exclude_defaults=True)
    return None if body is None else json.dumps(body)


def _segment(text: str) -> str:
    """Quote a run id, whatever the user typed, as one segment of a path."""
    return quote(text, safe="") or "-"
