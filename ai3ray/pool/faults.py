"""The consequences of each kind of failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from ai3ray.errors import (
    CallRefused,
    CallTimeout,
    ConnectFailed,
    ContextOverflow,
    KeyRefused,
    MalformedReply,
    ModelGone,
    Overloaded,
    QuotaSpent,
    RateLimited,
    ServerFault,
    StreamCut,
)

Breaker = Literal["none", "count", "out"]


class FaultPolicy(NamedTuple):
    """The consequences of one kind, for pool and retries."""

    fail_over: bool
    retry_same: bool
    freeze: bool
    """Pause the provider until its Retry-After, else ever longer."""
    breaker: Breaker
    """`count`: consecutive failures open the breaker. `out`: the provider goes out at once."""
    counts_against_model: bool


_PASSING = FaultPolicy(fail_over=True, retry_same=True, freeze=False, breaker="count", counts_against_model=True)
_BAD_ANSWER = FaultPolicy(fail_over=True, retry_same=True, freeze=False, breaker="none", counts_against_model=True)
_ACCOUNT = FaultPolicy(fail_over=True, retry_same=False, freeze=False, breaker="out", counts_against_model=False)
_UNFIT = FaultPolicy(fail_over=True, retry_same=False, freeze=False, breaker="none", counts_against_model=False)
_ELSEWHERE = FaultPolicy(fail_over=True, retry_same=True, freeze=False, breaker="none", counts_against_model=False)

FAULTS: Mapping[str, FaultPolicy] = {
    ConnectFailed.type: _PASSING,
    CallTimeout.type: _PASSING,
    Overloaded.type: _PASSING,
    ServerFault.type: _PASSING,
    StreamCut.type: _BAD_ANSWER,
    MalformedReply.type: _BAD_ANSWER,
    RateLimited.type: FaultPolicy(
        fail_over=True, retry_same=True, freeze=True, breaker="none", counts_against_model=False
    ),
    QuotaSpent.type: _ACCOUNT,
    KeyRefused.type: _ACCOUNT,
    ModelGone.type: FaultPolicy(
        fail_over=True, retry_same=False, freeze=False, breaker="none", counts_against_model=True
    ),
    ContextOverflow.type: _UNFIT,
    CallRefused.type: _UNFIT,
}


def fault_policy(error_type: str) -> FaultPolicy:
    """Return a type's consequences; unknown ones count against neither provider nor model."""
    return FAULTS.get(error_type, _ELSEWHERE)
