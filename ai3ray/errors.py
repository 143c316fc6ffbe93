"""Every error ai3ray raises on purpose.

Each class states its wire name (`type`), its HTTP status and the exit code of a command that it ends; server,
client and CLI read them from here.

Ai3Error
├── UsageError
│   ├── SettingsError
│   ├── RequestError
│   ├── PlanError
│   ├── UnknownModel
│   ├── MissingKey
│   └── NotBuilt
├── ProviderError
│   ├── ConnectFailed
│   ├── CallTimeout
│   ├── StreamCut
│   ├── MalformedReply
│   ├── RateLimited
│   ├── Overloaded
│   ├── ServerFault
│   ├── QuotaSpent
│   ├── KeyRefused
│   ├── ModelGone
│   ├── ContextOverflow
│   └── CallRefused
├── RunError
│   ├── NoModelLeft
│   ├── BudgetSpent
│   ├── UnknownRun
│   └── IllegalTransition
├── AnswerRejected
├── JournalError
│   ├── JournalLocked
│   ├── KeyReused
│   └── StaleEpoch
├── EngineError
│   ├── RunnerLost
│   ├── HeadUnavailable
│   └── ServerRefused
└── AccessError
    ├── Unauthenticated
    ├── Forbidden
    └── Throttled
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError

    from ai3ray.domain.call import RateHeaders, Usage


class Ai3Error(Exception):
    """The root of the tree."""

    type: ClassVar[str] = "error"
    """The wire name: `error.type` of an HTTP envelope, an event or a row."""
    http_status: ClassVar[int] = 500
    exit_code: int = 1
    rebuilt_by_client: ClassVar[bool] = False
    """True if the client raises this class for an envelope of this type; otherwise it raises ServerRefused."""

    @property
    def message(self) -> str:
        """The problem and, where known, its remedy, in one line."""
        return str(self)

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the constructor with `args`, which loses keyword-only arguments and further fields.
        return _unpickle, (type(self), self.args, dict(self.__dict__))


def _unpickle(kind: type[Ai3Error], args: tuple[object, ...], fields: dict[str, object]) -> Ai3Error:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


# ── the caller's input ───────────────────────────────────────────────────────────────────────────


class UsageError(Ai3Error):
    """The caller's input is wrong, and nothing was paid; `param` names the wrong field, if there is one."""

    type = "usage"
    http_status = 400
    exit_code = 2
    rebuilt_by_client = True

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class SettingsError(UsageError):
    """A setting, a `.env` line or a TOML file is wrong; the message names file and line."""

    type = "settings"


class RequestError(UsageError):
    """A field of a request is wrong."""

    type = "invalid_request"


class PlanError(UsageError):
    """A task graph is invalid; the message names the task."""

    type = "invalid_plan"


class UnknownModel(UsageError):
    """No model, provider or alias has that name."""

    type = "unknown_model"


class MissingKey(UsageError):
    """A requested provider has no key; the message names the variable to set."""

    type = "missing_key"


class NotBuilt(UsageError):
    """A feature of the contract that this version does not have yet."""

    type = "not_built"


# ── model calls ──────────────────────────────────────────────────────────────────────────────────


class ProviderError(Ai3Error):
    """One model call failed.

    Args:
        message: the provider's own message where it sent one, never a key.
        provider: its name in the configuration.
        model: its id.
        status: HTTP status of the reply, if there was one; 200 for a failure inside a stream.
        code: the provider's error type or code, verbatim.
        request_id: the provider's id of the request, for its support team.
        retry_after_s: the wait that the provider demands.
        maybe_paid: true when the provider may have billed output before the failure.
        rate: the rate limits in the reply's headers.
        usage: tokens used before the failure, when an answer had begun.
    """

    type = "provider"
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        maybe_paid: bool = False,
        rate: RateHeaders | None = None,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.maybe_paid = maybe_paid
        self.rate = rate
        self.usage = usage


class ConnectFailed(ProviderError):
    """No connection: refused, DNS, TLS."""

    type = "connect_failed"


class CallTimeout(ProviderError):
    """The connect, first-token, idle or total time ran out."""

    type = "timeout"


class StreamCut(ProviderError):
    """The answer ended before its terminal event."""

    type = "stream_cut"


class MalformedReply(ProviderError):
    """The answer violates the protocol."""

    type = "malformed_reply"


class RateLimited(ProviderError):
    """A rate bucket or the growth limit of the account is used up."""

    type = "rate_limited"


class Overloaded(ProviderError):
    """The provider has no capacity at the moment."""

    type = "overloaded"


class ServerFault(ProviderError):
    """The provider failed internally."""

    type = "server_fault"


class QuotaSpent(ProviderError):
    """The account has run out of money or quota; only its owner can change that."""

    type = "quota_spent"


class KeyRefused(ProviderError):
    """The key is wrong, revoked, or lacks the permission."""

    type = "key_refused"


class ModelGone(ProviderError):
    """The provider does not have this model."""

    type = "model_gone"


class ContextOverflow(ProviderError):
    """The prompt exceeds the model's context window."""

    type = "context_overflow"


class CallRefused(ProviderError):
    """The request itself is wrong; a retry is pointless."""

    type = "call_refused"


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────


class RunError(Ai3Error):
    """A run cannot continue."""

    type = "run"
    http_status = 409


class NoModelLeft(RunError):
    """No candidate model is left for a call."""

    type = "no_model_left"
    http_status = 503


class BudgetSpent(RunError):
    """No call fits into the rest of a budget."""

    type = "budget"
    http_status = 402
    exit_code = 4
    rebuilt_by_client = True


class UnknownRun(RunError):
    """No run has that id."""

    type = "not_found"
    http_status = 404
    exit_code = 2


class IllegalTransition(RunError):
    """The run's state does not allow an event; nothing was changed."""

    type = "illegal_transition"


class AnswerRejected(Ai3Error):
    """No answer of a task or an assembly passed the checks."""

    type = "rejected"


# ── the journal ──────────────────────────────────────────────────────────────────────────────────


class JournalError(Ai3Error):
    """The journal could not read or write."""

    type = "journal"
    http_status = 503


class JournalLocked(JournalError):
    """Another process owns the journal's file."""

    type = "journal_locked"
    rebuilt_by_client = True

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid


class KeyReused(JournalError):
    """An idempotency key was used again with another body."""

    type = "key_reused"
    http_status = 409
    rebuilt_by_client = True


class StaleEpoch(JournalError):
    """The writer has been superseded; its entries were refused."""

    type = "stale_epoch"


# ── processes ────────────────────────────────────────────────────────────────────────────────────


class EngineError(Ai3Error):
    """The processes under a run failed."""

    type = "engine"
    http_status = 503


class RunnerLost(EngineError):
    """A runner process died during a call."""

    type = "runner_lost"


class HeadUnavailable(EngineError):
    """No head answers, and none could be started."""

    type = "head_unavailable"
    rebuilt_by_client = True


class ServerRefused(EngineError):
    """A server answered with an error that has no class of its own.

    Args:
        message: the server's message.
        status: HTTP status of the reply; a 4xx is the caller's mistake and ends a command with exit code 2.
        kind: the wire name in the reply.
        param: the wrong field, if the reply names one.
    """

    type = "server_refused"

    def __init__(self, message: str, status: int = 500, kind: str = "error", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        if 400 <= status < 500:
            self.exit_code = 2


# ── access ───────────────────────────────────────────────────────────────────────────────────────


class AccessError(Ai3Error):
    """A server refuses a caller."""

    type = "access"
    http_status = 403
    exit_code = 2


class Unauthenticated(AccessError):
    """The request has no key, or an unknown one."""

    type = "unauthenticated"
    http_status = 401
    rebuilt_by_client = True


class Forbidden(AccessError):
    """The key lacks the scope, or the request's host or origin is not allowed."""

    type = "forbidden"
    rebuilt_by_client = True


class Throttled(AccessError):
    """A rate limit, the number of open requests or a daily budget is used up."""

    type = "too_many_requests"
    http_status = 429
    exit_code = 1
    rebuilt_by_client = True

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def error_classes(root: type[Ai3Error] = Ai3Error) -> Iterator[type[Ai3Error]]:
    """Yield `root` and every class below it."""
    yield root
    for kind in root.__subclasses__():
        yield from error_classes(kind)


REBUILT: Mapping[str, type[Ai3Error]] = {kind.type: kind for kind in error_classes() if kind.rebuilt_by_client}
"""The classes that a client raises again, by wire name."""


# ── pydantic's errors in words ───────────────────────────────────────────────────────────────────

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_DEMANDS = {
    "extra_forbidden": "this field is not supported",
    "missing": "it is missing",
    "finite_number": "it has to be a finite number",
}
_WRONG_KIND = ("_type", "_parsing", "_parsing_size", "_from_float")
_JSON_NOUNS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
}
TOML_NOUNS = _JSON_NOUNS | {"bool": "on or off", "dict": "a table", "model": "a table"}
"""What values are called in TOML files and environment variables."""


class FieldProblem(NamedTuple):
    """The first problem that pydantic found in a value."""

    path: tuple[str, ...]
    """The keys and positions that lead to the field; empty for the whole value."""
    demand: str
    """The requirement, such as `it has to be at least 1`, or the message of one of our validators."""
    unknown: bool
    """True when the model has no such field."""
    value: Any

    @property
    def field(self) -> str:
        """The path, joined by dots."""
        return ".".join(self.path)

    @property
    def message(self) -> str:
        """Field and demand in one line."""
        return f"{self.field}: {self.demand}" if self.path else self.demand


def first_problem(error: ValidationError, nouns: Mapping[str, str] = _JSON_NOUNS) -> FieldProblem:
    """Describe the first problem of a ValidationError in words.

    Args:
        error: from a pydantic model or type adapter.
        nouns: the noun for each kind of value, by the first word of pydantic's error type.
    """
    first = error.errors(include_url=False)[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind in _BOUNDS:
        bound, comparison = _BOUNDS[kind]
        demand = f"it has to be {comparison} {context[bound]:g}"
    elif kind == "literal_error":
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        demand = f"it has to be one of {allowed}" if ", " in allowed else f"it has to be {allowed}"
    elif kind in _DEMANDS:
        demand = _DEMANDS[kind]
    elif kind.endswith(_WRONG_KIND) and kind.partition("_")[0] in nouns:
        demand = f"it has to be {nouns[kind.partition('_')[0]]}"
    else:
        demand = str(first["msg"]).removeprefix("Value error, ")
    return FieldProblem(tuple(map(str, first["loc"])), demand, kind == "extra_forbidden", first["input"])
