"""Every error ai3ray raises on purpose.

Ai3Error
├── UsageError                 exit 2: known before any model is paid
│   ├── SettingsError          a setting, a .env or a TOML file is wrong
│   ├── RequestError           a request field is wrong (`param` names it)
│   ├── PlanError              a task graph is invalid (`task_id` names the task)
│   ├── UnknownModel           no such model, provider or alias
│   ├── MissingKey             a provider was asked for and its key is not set
│   └── NotBuilt               a promised feature that this version does not have
├── ProviderError              one model call failed; carries provider, model, status, request id …
│   ├── ConnectFailed          no connection: refused, DNS, TLS
│   ├── CallTimeout            connect, first-token, idle or total time ran out
│   ├── StreamCut              the answer ended before its terminal event
│   ├── MalformedReply         the answer was not what the protocol promises
│   ├── RateLimited            429 of a rate bucket or ramp; `retry_after_s` when told
│   ├── Overloaded             529, 503, or the in-band event of the same meaning
│   ├── ServerFault            500, 502, 504
│   ├── QuotaSpent             money or quota is out: waiting does not help
│   ├── KeyRefused             401 or 403
│   ├── ModelGone              404: the provider does not have this model
│   ├── ContextOverflow        the prompt is longer than the model's window
│   └── CallRefused            400, 413, 422: the request itself is wrong
├── RunError                   exit 1: a run cannot go on
│   ├── NoModelLeft            every candidate is excluded, out or spent
│   ├── BudgetSpent            exit 4: no call fits into what is left of a budget
│   ├── UnknownRun             no such run id
│   └── IllegalTransition      an event that the run's state does not allow
├── JournalError
│   ├── JournalLocked          another process owns the file (`pid` when known)
│   ├── KeyReused              the same idempotency key came with another body
│   └── StaleEpoch             a writer that has been superseded
├── EngineError
│   ├── RunnerLost             a runner process died with the call in it
│   ├── HeadUnavailable        no head answers and none could be started
│   └── ServerRefused          the server answered with an error envelope
└── AccessError                a server does not let its caller in
    ├── Unauthenticated        no key, or one that is not known
    ├── Forbidden              the key may not do this, or the request comes from a place that may not
    └── Throttled              too much was asked; `retry_after_s` tells when to come again
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ai3ray.domain.call import RateHeaders, Usage


class Ai3Error(Exception):
    """The root; `exit_code` is what a command ends with when it escapes."""

    exit_code: ClassVar[int] = 1
    type: ClassVar[str] = "error"

    @property
    def message(self) -> str:
        """One line that says what is wrong and, where known, what to do."""
        return str(self)


class UsageError(Ai3Error):
    """The caller's words are wrong; nothing was paid. `param` names the field when one is to blame."""

    exit_code: ClassVar[int] = 2
    type: ClassVar[str] = "usage"

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.param)


class SettingsError(UsageError):
    """A setting, a `.env` line or a TOML file is wrong; the message names file and line."""

    type: ClassVar[str] = "settings"


class RequestError(UsageError):
    """A field of a run request is wrong."""

    type: ClassVar[str] = "invalid_request"


class PlanError(UsageError):
    """A task graph is invalid; the message names the task."""

    type: ClassVar[str] = "invalid_plan"


class UnknownModel(UsageError):
    """No model, provider or alias of that name."""

    type: ClassVar[str] = "unknown_model"


class MissingKey(UsageError):
    """The provider asked for has no key; the message names the variable to set."""

    type: ClassVar[str] = "missing_key"


class NotBuilt(UsageError):
    """The contract promises it, this version does not have it yet: refused, never ignored."""

    type: ClassVar[str] = "not_built"


class ProviderError(Ai3Error):
    """One model call failed.

    Args:
        message: the provider's own words where it had any, never a key.
        provider: the provider's name in the configuration.
        model: the model id that was called.
        status: HTTP status, when there was a reply. A failure inside a stream has status 200.
        code: the provider's error type or code, verbatim.
        request_id: the provider's id of the request, for its support.
        retry_after_s: seconds the provider asked us to wait.
        maybe_paid: true when the provider may have billed output before the failure.
        rate: the rate limits, when the reply told them.
        usage: tokens used until then, when an answer had begun.
    """

    type: ClassVar[str] = "provider"

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

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling of exceptions; state does.
        return _rebuild, (type(self), str(self), dict(self.__dict__))


def _rebuild(kind: type[ProviderError], message: str, state: dict[str, object]) -> ProviderError:
    error = kind(message)
    error.__dict__.update(state)
    return error


class ConnectFailed(ProviderError):
    """No connection could be made."""

    type: ClassVar[str] = "connect_failed"


class CallTimeout(ProviderError):
    """One of the call's clocks ran out."""

    type: ClassVar[str] = "timeout"


class StreamCut(ProviderError):
    """The answer ended before its terminal event: partial text is never an answer."""

    type: ClassVar[str] = "stream_cut"


class MalformedReply(ProviderError):
    """The answer was not what the protocol promises."""

    type: ClassVar[str] = "malformed_reply"


class RateLimited(ProviderError):
    """A rate bucket or the growth limit of the account."""

    type: ClassVar[str] = "rate_limited"


class Overloaded(ProviderError):
    """The provider has no capacity at the moment."""

    type: ClassVar[str] = "overloaded"


class ServerFault(ProviderError):
    """The provider failed inside."""

    type: ClassVar[str] = "server_fault"


class QuotaSpent(ProviderError):
    """Money or quota is out; only its owner can mend that."""

    type: ClassVar[str] = "quota_spent"


class KeyRefused(ProviderError):
    """The key is wrong, revoked, or not allowed to use this."""

    type: ClassVar[str] = "key_refused"


class ModelGone(ProviderError):
    """The provider does not have this model."""

    type: ClassVar[str] = "model_gone"


class ContextOverflow(ProviderError):
    """The prompt does not fit into the model's window."""

    type: ClassVar[str] = "context_overflow"


class CallRefused(ProviderError):
    """The request itself is wrong; sending it again is pointless."""

    type: ClassVar[str] = "call_refused"


class RunError(Ai3Error):
    """A run cannot go on."""

    type: ClassVar[str] = "run"


class NoModelLeft(RunError):
    """Every candidate is excluded, out or spent."""

    type: ClassVar[str] = "no_model_left"


class BudgetSpent(RunError):
    """No call that is wanted fits into what is left of a budget."""

    exit_code: ClassVar[int] = 4
    type: ClassVar[str] = "budget"


class UnknownRun(RunError):
    """No run of that id."""

    type: ClassVar[str] = "not_found"


class IllegalTransition(RunError):
    """An event that the run's state does not allow; nothing was changed."""

    type: ClassVar[str] = "illegal_transition"


class JournalError(Ai3Error):
    """The journal could not do what was asked."""

    type: ClassVar[str] = "journal"


class JournalLocked(JournalError):
    """Another process owns the journal file."""

    type: ClassVar[str] = "journal_locked"

    def __init__(self, message: str, pid: int | None = None) -> None:
        super().__init__(message)
        self.pid = pid

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.pid)


class KeyReused(JournalError):
    """The same idempotency key came with another body."""

    type: ClassVar[str] = "key_reused"


class StaleEpoch(JournalError):
    """The writer has been superseded; what it wrote was refused."""

    type: ClassVar[str] = "stale_epoch"


class EngineError(Ai3Error):
    """The processes under a run failed."""

    type: ClassVar[str] = "engine"


class RunnerLost(EngineError):
    """A runner process died with the call in it."""

    type: ClassVar[str] = "runner_lost"


class HeadUnavailable(EngineError):
    """No head answers and none could be started."""

    type: ClassVar[str] = "head_unavailable"


class ServerRefused(EngineError):
    """The server answered with an error envelope."""

    type: ClassVar[str] = "server_refused"

    def __init__(self, message: str, status: int = 500, kind: str = "error", param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.status, self.kind, self.param)


class AccessError(Ai3Error):
    """A server does not let its caller in."""

    exit_code: ClassVar[int] = 2
    type: ClassVar[str] = "access"


class Unauthenticated(AccessError):
    """No key, or one that the server does not know."""

    type: ClassVar[str] = "unauthenticated"


class Forbidden(AccessError):
    """The key has not the scope, or the request came by a name or from a page that is not allowed."""

    type: ClassVar[str] = "forbidden"


class Throttled(AccessError):
    """A rate, a number of streams or a day's money is used up. `retry_after_s` is in seconds."""

    exit_code: ClassVar[int] = 1
    type: ClassVar[str] = "too_many_requests"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.retry_after_s)
