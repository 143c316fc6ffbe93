"""Lease requests, leases and settlements.

Plain tuples of validated data, because thousands are made per second.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ai3ray.domain.call import AttemptStatus, ErrorInfo, RateHeaders, Role, Usage
from ai3ray.domain.events import Candidate, Warned
from ai3ray.domain.plan import Kind, Tier
from ai3ray.domain.request import RunClass


class Choice(Protocol):
    """The choice of a model."""

    def candidates(self) -> tuple[Candidate, ...]:
        """Return all models with the terms of their scores, best first."""
        ...


class LeaseRequest(NamedTuple):
    """A request for the right to make one model call."""

    request_id: str
    """Unique, made by the caller."""
    run_id: str
    epoch: int | None = None
    """Of the run's owner; a request of an earlier epoch is refused."""
    task_id: str | None = None
    """None for planner and assembler."""
    role: Role = "task"
    n: int = 1
    """Number of the call for this task or role, from 1."""
    kind: Kind = "other"
    tier: Tier = "standard"
    models: tuple[str, ...] = ()
    """The only `provider/model` names to use; all when empty."""
    exclude: tuple[str, ...] = ()
    """Names of models and of whole providers not to use."""
    input_tokens: int = 0
    """Estimated."""
    max_output_tokens: int = 4096
    structured: bool = False
    plans: bool = False
    """True to require a planner."""
    run_class: RunClass = "interactive"
    """`interactive` is served before `batch`."""
    run_limit: int = 5
    """Calls in flight that the run may have."""
    budget_usd: float | None = None
    stretch: bool = True
    """True if the last of a budget may go to this call, even if it may cost more."""


class Lease(NamedTuple):
    """The right to make one call of one model."""

    request_id: str
    run_id: str
    attempt_id: str
    """Of both lease and attempt."""
    provider: str
    model: str
    token: int
    """Fencing token: a settlement with another one is refused."""
    expires_s: float
    """Seconds until the permit is taken back."""
    reserved_usd: float | None = None
    """The most that the call can cost; None when its price is unknown."""
    choice: Choice | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The routing decision, best first; empty outside the process that made it."""
        return self.choice.candidates() if self.choice is not None else ()


RUN_STOPPED = "run_stopped"
"""Error type of refusals for a run that is being stopped."""


class Refusal(NamedTuple):
    """The final answer to a lease request that will never be granted."""

    request_id: str
    run_id: str
    error: ErrorInfo
    """A provider's last failure, if that is why no model is left."""


class Settlement(NamedTuple):
    """The outcome of a leased call."""

    attempt_id: str
    token: int
    status: AttemptStatus
    """Never `started`."""
    error: ErrorInfo | None = None
    retry_after_s: float | None = None
    """Requested by the provider."""
    usage: Usage | None = None
    cost_usd: float | None = None
    """None when the cost is unknown or nothing was billed."""
    request_id: str | None = None
    """The provider's id."""
    seconds: float = 0.0
    first_token_s: float | None = None
    rate: RateHeaders | None = None
    maybe_paid: bool = False
    """True if the provider may have billed the call although no answer was kept."""


class Settled(NamedTuple):
    """The consequences of a settlement."""

    accepted: bool
    """False when the token was outdated or the lease unknown."""
    grants: tuple[Lease | Refusal, ...] = ()
    warnings: tuple[Warned, ...] = ()
    """For the journal of the call's run."""
