"""Decode server-sent events."""

from __future__ import annotations

from typing import NamedTuple


class ServerSentEvent(NamedTuple):
    """One event; its name is empty when absent, and its data lines are joined."""

    name: str
    data: str


class EventDecoder:
    """A decoder from chunks of bytes, cut anywhere, to events (WHATWG HTML, section 9.2).

    The SDKs' own decoders hide the vendor's end marker, without which a cleanly cut stream seems complete.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes. Raises UnicodeDecodeError."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        # A last line without LF is unfinished; one that ends in CR may be half of a CRLF.
        self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        events = (self._read_line(line.rstrip(b"\r\n").decode()) for line in lines)
        return [event for event in events if event is not None]

    def _read_line(self, line: str) -> ServerSentEvent | None:
        if not line:
            event = ServerSentEvent(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
        return None
