"""Server-sent events, decoded from the bytes of a stream."""

from __future__ import annotations

from typing import NamedTuple


class ServerSentEvent(NamedTuple):
    """One event: its name, empty when it has none, and its data lines joined."""

    name: str
    data: str


class EventDecoder:
    """Turns chunks of bytes, cut anywhere, into events (WHATWG HTML, section 9.2).

    Ours rather than an SDK's, because only with the raw events the vendor's end marker can be seen:
    both SDKs end a stream that was cut off cleanly as if it were complete.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that this chunk completes. Raises UnicodeDecodeError."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        # A last line without LF is unfinished; one that ends in CR may be half of a CRLF.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        events = (self._line(line.rstrip(b"\r\n").decode()) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        event = ServerSentEvent(self._name, "\n".join(self._data)) if self._data else None
        self._name, self._data = "", []
        return event
