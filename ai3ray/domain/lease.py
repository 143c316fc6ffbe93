"""What runners ask of the pool, what they get, and what they report back.

All of it is made and read thousands of times a second by code of this package alone, so it is plain tuples: what is
told by strangers has been checked by those who listened to them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ai3ray.domain.call import AttemptStatus, ErrorInfo, RateHeaders, Role, Usage
from ai3ray.domain.events import Candidate, Warned
from ai3ray.domain.plan import Kind, Tier
from ai3ray.domain.request import RunClass


class Choice(Protocol):
    """How a model was chosen."""

    def candidates(self) -> tuple[Candidate, ...]:
        """All models with the terms of their scores, best first."""
        ...


class LeaseRequest(NamedTuple):
    """a lease request to make one model call."""

    request_id: str
    """The asker's own id of this request, unique."""
    run_id: str
    """The run it is for."""
    epoch: int | None = None
    """The epoch of the run's owner, when the asker has one: a lease request of an earlier epoch is refused."""
    task_id: str | None = None
    """The task it is for; None for planner and assembler."""
    role: Role = "task"
    """What the call is for."""
    n: int = 1
    """Which call of this task or role it is, from 1."""
    kind: Kind = "other"
    """The kind of the work, for the router."""
    tier: Tier = "standard"
    """How strong a model is wanted, for the router."""
    models: tuple[str, ...] = ()
    """Only these `provider/model` names; every configured one when empty."""
    exclude: tuple[str, ...] = ()
    """Not to be tried again: `provider/model` names, and providers with all their models."""
    input_tokens: int = 0
    """Estimate of the prompt, in tokens."""
    max_output_tokens: int = 4096
    """Cap of the answer, in tokens."""
    structured: bool = False
    """The model has to support structured output."""
    plans: bool = False
    """The model has to be able to plan."""
    run_class: RunClass = "interactive"
    """`interactive` is served before `batch`."""
    run_limit: int = 5
    """Calls in flight that the run may have."""
    budget_usd: float | None = None
    """The run's budget, when it has one."""
    stretch: bool = True
    """Whether the last of a budget may go to this call although it is expected to cost more."""


class Lease(NamedTuple):
    """The right to make one call of one model."""

    request_id: str
    """The request it answers."""
    run_id: str
    """The run it is for."""
    attempt_id: str
    """Its own id, under which the attempt is journaled."""
    provider: str
    """The provider to call."""
    model: str
    """The `provider/model` to call."""
    token: int
    """Fencing token: a settlement with another one is refused."""
    expires_s: float
    """Seconds from the grant after which the permit is taken back."""
    reserved_usd: float | None = None
    """The most that the call can cost, in US dollars; None when its price is unknown."""
    choice: Choice | None = None
    """How its model was chosen."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The routing decision, best first; put together when it is looked at, where it was made."""
        return self.choice.candidates() if self.choice is not None else ()


RUN_STOPPED = "run_stopped"
"""Type of the error with which requests of a run are refused that is being stopped: whoever asked stops, too."""


class Refusal(NamedTuple):
    """The pool will never grant this request."""

    request_id: str
    """The request it answers."""
    run_id: str
    """The run it was for."""
    error: ErrorInfo
    """Why; the last provider failure when that is why nothing is left."""


class Settlement(NamedTuple):
    """How a leased call ended."""

    attempt_id: str
    """The lease's id."""
    token: int
    """The lease's fencing token."""
    status: AttemptStatus
    """succeeded, failed, cancelled or lost."""
    error: ErrorInfo | None = None
    """Why it failed."""
    retry_after_s: float | None = None
    """Seconds the provider asked us to wait."""
    usage: Usage | None = None
    """Tokens, when known."""
    cost_usd: float | None = None
    """What it cost; None when unknown or nothing was billed."""
    request_id: str | None = None
    """The provider's id of the request."""
    seconds: float = 0.0
    """Seconds of the call."""
    first_token_s: float | None = None
    """Seconds to the first piece."""
    rate: RateHeaders | None = None
    """Rate limits that the reply told."""
    maybe_paid: bool = False
    """The provider may have billed it although no answer was kept."""


class Settled(NamedTuple):
    """What a settlement led to."""

    accepted: bool
    """False when the token was old or the lease unknown."""
    grants: tuple[Lease | Refusal, ...] = ()
    """Waiting requests that can now be answered."""
    warnings: tuple[Warned, ...] = ()
    """To be journaled for the run of this call, such as a provider that was taken out."""
