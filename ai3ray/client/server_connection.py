"""HTTP and SSE requests with retries, reconnection and typed errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, ValidationError

from ai3ray.domain.events import Event, parse_event
from ai3ray.domain.run import TERMINAL
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

if TYPE_CHECKING:
    import httpx

ANSWER_S = 120.0
"""Seconds until an answer; a booting head answers only once it has booted."""
SILENCE_S = 60.0
"""Seconds without a byte until a stream counts as broken; the server pings every 15."""
MAX_RETRY_AFTER_S = 60.0
"""The longest `Retry-After` to wait for, in seconds."""
PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between attempts; after the last attempt the server counts as unavailable."""

_TLS_ERRORS = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted; set SSL_CERT_FILE to its issuer's certificate",
    "WRONG_VERSION_NUMBER": "it does not speak TLS: try http://",
    "RECORD_LAYER_FAILURE": "it does not speak TLS: try http://",
}

RestartHead = Callable[[], Awaitable[Path]]
"""Starts a head and returns its socket."""


class ServerConnection:
    """One server's connections, opened when first used.

    Args:
        server: base URL of the server; None for a socket.
        socket: Unix socket of a head.
        key: sent as the bearer token.
        restart_head: called when the socket does not answer; returns the new head's socket.
    """

    def __init__(
        self, server: str | None, socket: Path | None, key: SecretStr | None, restart_head: RestartHead | None
    ) -> None:
        self.name = server or "the local head"
        self._server = server
        self._socket = socket
        self._key = key
        self._restart_head = restart_head
        self._http: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def json(
        self,
        method: str,
        path: str,
        *,
        body: BaseModel | Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
        tries: int = len(PAUSES_S),
    ) -> Any:
        """Send a request, up to `tries` times until the server answers, and return the decoded answer.

        Raises:
            HeadUnavailable: the server does not answer.
            Ai3Error: the server answered with this error.
        """
        sent = {"content-type": "application/json"} | dict(headers or {})
        if isinstance(body, BaseModel):
            content: str | None = body.model_dump_json(by_alias=True, exclude_defaults=True)
        else:
            content = None if body is None else json.dumps(body)
        options = {"params": params, "content": content, "headers": sent, "timeout": timeout_s}
        for pause in PAUSES_S[: tries - 1]:
            try:
                return await self._exchange(method, path, options)
            except Throttled as error:
                await _wait_to_retry(error)
            except HeadUnavailable as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise  # the server is running but slow, so another attempt would not help
                await asyncio.sleep(pause)
                if self._restart_head is not None:  # the head may have stopped in the middle of the request
                    self._socket = await self._restart_head()
                    await self.aclose()
        return await self._exchange(method, path, options)

    async def lines(self, path: str, body: BaseModel) -> AsyncGenerator[str, None]:
        """Post a body and yield the lines of the answer as they come; empty lines keep the connection alive."""
        import httpx

        timeout, content = httpx.Timeout(ANSWER_S, read=SILENCE_S), body.model_dump_json()
        try:
            async with self._session().stream("POST", path, content=content, timeout=timeout) as response:
                if response.status_code >= 400:
                    raise self._error_from_response(response, await response.aread(), path)
                async for line in response.aiter_lines():
                    yield line
        except httpx.TransportError as error:
            raise self._unavailable(error) from error

    async def events(self, run_id: str, after: int, *, deltas: bool) -> AsyncGenerator[Event, None]:
        """Yield a run's events until its end; resume a broken stream where it broke.

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
                async with aclosing(self._one_stream(run_id, after, deltas)) as events:
                    async for event in events:
                        received, failures, after = True, 0, max(after, event.seq)
                        yield event
                        if event.type == "stats":
                            return
                if not received and (await self.json("GET", run_path(run_id)))["status"] in TERMINAL:
                    return  # `after` is the last event
            except Throttled as full:
                await _wait_to_retry(full)
                error = HeadUnavailable(full.message)
            except HeadUnavailable as broken:
                error = broken
            failures += 1
        raise HeadUnavailable(f"{error.message}; follow the run later with 'ai3 runs watch {run_id}'") from error

    async def _one_stream(self, run_id: str, after: int, deltas: bool) -> AsyncGenerator[Event, None]:
        import httpx
        from httpx_sse import SSEError, aconnect_sse

        options: dict[str, Any] = {
            "params": {"deltas": "true"} if deltas else {},
            "headers": {"last-event-id": str(after)},
            "timeout": httpx.Timeout(ANSWER_S, read=SILENCE_S),
        }
        try:
            path = f"{run_path(run_id)}/events"
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
            problem = "does not accept the key in AI3_SERVER_KEY" if self._key else "requires a key; set AI3_SERVER_KEY"
            return Unauthenticated(f"{self.name} {problem}")
        if isinstance(error, Throttled):
            after = response.headers.get("retry-after", "")
            return Throttled(error.message, float(after) if after.isdigit() else error.retry_after_s)
        return error


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


def run_path(run_id: str) -> str:
    """Return the path of a run; any text is safe as its id."""
    return f"/runs/{quote(run_id, safe='') or '-'}"


async def _wait_to_retry(error: Throttled) -> None:
    """Wait as long as the server demands; raise the error if that is too long."""
    if error.retry_after_s > MAX_RETRY_AFTER_S:
        raise error
    await asyncio.sleep(error.retry_after_s)
