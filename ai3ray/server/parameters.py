"""Headers and query parameters, parsed and documented from one description."""

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
    """JSON Schema of the value."""
    default: T
    parse: Callable[[str], T]
    """Raises RequestError."""

    def read(self, request: Request) -> T:
        """Return the parameter's value in a request, or its default. Raises RequestError naming it."""
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
    "Repeating a request with its key returns the same run.",
    {"type": "string", "minLength": 1, "maxLength": _MAX_KEY, "pattern": r"^[!-~]+$"},
    None,
    _parse_idempotency_key,
)
LAST_EVENT_ID = whole_number("Last-Event-ID", "header", "The id of the event to continue after.", 0, 0, _MAX_SEQ)
AFTER = whole_number("after", "query", "`Last-Event-ID`, for clients that cannot set headers.", 0, 0, _MAX_SEQ)
DELTAS = flag("deltas", "Include pieces of answers; on `POST /runs`, keep them for the run's event stream.")
LIMIT = whole_number("limit", "query", "Runs per page.", 50, 1, 1000)
BEFORE: Parameter[str | None] = Parameter(
    "before", "query", "The run id that the page starts after.", {"type": "string"}, None, str
)


def start_of_stream(request: Request) -> int:
    """Return the `seq` to continue after, from `Last-Event-ID` or `after`. Raises RequestError."""
    return (LAST_EVENT_ID if LAST_EVENT_ID.name in request.headers else AFTER).read(request)
