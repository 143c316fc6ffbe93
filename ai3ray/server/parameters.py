"""Headers and query parameters: read and documented from one description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from starlette.requests import Request

from ai3ray.errors import RequestError

T = TypeVar("T")
Location = Literal["header", "query"]

_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off", ""})
_MAX_KEY = 255
_MAX_SEQ = 2**53


@dataclass(frozen=True, slots=True, eq=False)
class Parameter(Generic[T]):
    """One header or query parameter."""

    name: str
    location: Location
    description: str
    schema: Mapping[str, Any]
    """JSON Schema of its value."""
    default: T
    parse: Callable[[str], T]
    """Makes the value from text. Raises RequestError."""

    def read(self, request: Request) -> T:
        """Return its value in a request. Raises RequestError naming it."""
        values = request.headers if self.location == "header" else request.query_params
        text = values.get(self.name)
        return self.default if text is None else self.parse(text)


def whole_number(
    name: str, location: Location, description: str, default: int, least: int, most: int
) -> Parameter[int]:
    """Describe a parameter that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not least <= int(text[:20]) <= most:
            raise RequestError(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}", name)
        return int(text)

    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name, location, description, schema, default, parse)


def flag(name: str, description: str) -> Parameter[bool]:
    """Describe a query parameter that is true or false; false when absent."""

    def parse(text: str) -> bool:
        if text.lower() not in _TRUE | _FALSE:
            raise RequestError(f"{name} must be true or false, not {text!r}", name)
        return text.lower() in _TRUE

    return Parameter(name, "query", description, {"type": "boolean"}, False, parse)


def _parse_idempotency_key(text: str) -> str:
    if not text.strip() or len(text) > _MAX_KEY:
        raise RequestError(f"Idempotency-Key must have 1 to {_MAX_KEY} characters", "Idempotency-Key")
    return text.strip()


IDEMPOTENCY_KEY: Parameter[str | None] = Parameter(
    "Idempotency-Key",
    "header",
    "The same key and body again give the same run.",
    {"type": "string", "minLength": 1, "maxLength": _MAX_KEY, "pattern": r"^[!-~]+$"},
    None,
    _parse_idempotency_key,
)
LAST_EVENT_ID = whole_number("Last-Event-ID", "header", "The event to go on after.", 0, 0, _MAX_SEQ)
AFTER = whole_number("after", "query", "The same, for clients that cannot set headers.", 0, 0, _MAX_SEQ)
DELTAS = flag("deltas", "Send pieces of answers too. On `POST /runs`: they will be read with the run's events.")
LIMIT = whole_number("limit", "query", "Runs per page.", 50, 1, 1000)
BEFORE: Parameter[str | None] = Parameter(
    "before", "query", "The run id that the page starts after.", {"type": "string"}, None, str
)


def start_of_stream(request: Request) -> int:
    """Return the `seq` to go on after: `Last-Event-ID`, else `after`. Raises RequestError."""
    return (LAST_EVENT_ID if LAST_EVENT_ID.name in request.headers else AFTER).read(request)
