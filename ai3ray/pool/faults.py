"""What each kind of failure means: one table, read by the pool and by whoever retries."""

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


class FaultRule(NamedTuple):
    """What follows from one kind of failure."""

    fail_over: bool
    """Another model may succeed."""
    retry_same: bool
    """The same model may succeed later."""
    freeze: bool
    """The provider is left alone until its Retry-After, or a growing pause, is over."""
    breaker: Breaker
    """`count`: enough of them in a row open the provider's breaker. `out`: it is taken out at once."""
    counts_against_model: bool
    """It lowers the model's rate of success."""


_PASSING = FaultRule(fail_over=True, retry_same=True, freeze=False, breaker="count", counts_against_model=True)
_BAD_ANSWER = FaultRule(fail_over=True, retry_same=True, freeze=False, breaker="none", counts_against_model=True)
_ACCOUNT = FaultRule(fail_over=True, retry_same=False, freeze=False, breaker="out", counts_against_model=False)
_UNFIT = FaultRule(fail_over=True, retry_same=False, freeze=False, breaker="none", counts_against_model=False)
_ELSEWHERE = FaultRule(fail_over=True, retry_same=True, freeze=False, breaker="none", counts_against_model=False)

FAULTS: Mapping[str, FaultRule] = {
    ConnectFailed.type: _PASSING,
    CallTimeout.type: _PASSING,
    Overloaded.type: _PASSING,
    ServerFault.type: _PASSING,
    StreamCut.type: _BAD_ANSWER,
    MalformedReply.type: _BAD_ANSWER,
    RateLimited.type: FaultRule(
        fail_over=True, retry_same=True, freeze=True, breaker="none", counts_against_model=False
    ),
    QuotaSpent.type: _ACCOUNT,
    KeyRefused.type: _ACCOUNT,
    ModelGone.type: FaultRule(
        fail_over=True, retry_same=False, freeze=False, breaker="none", counts_against_model=True
    ),
    ContextOverflow.type: _UNFIT,
    CallRefused.type: _UNFIT,
}


def rule(error_type: str) -> FaultRule:
    """What follows from a failure of this type; one that is no provider's fault is blamed on nobody."""
    return FAULTS.get(error_type, _ELSEWHERE)
