"""What the router has to know: of the call that is wanted, and of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from ai3ray.domain.plan import Kind, Tier
from ai3ray.registry.prices import Rates
from ai3ray.telemetry.live import LiveStats


class Wish(Protocol):
    """The part of a lease request that routing goes by."""

    @property
    def kind(self) -> Kind:
        """The kind of the work."""
        ...

    @property
    def tier(self) -> Tier:
        """How strong a model is wanted."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Only these `provider/model` names; any when empty."""
        ...

    @property
    def exclude(self) -> tuple[str, ...]:
        """`provider/model` names that have been tried, and providers whose every model counts as tried."""
        ...

    @property
    def input_tokens(self) -> int:
        """Estimate of the prompt, in tokens."""
        ...

    @property
    def max_output_tokens(self) -> int:
        """Cap of the answer, in tokens."""
        ...

    @property
    def structured(self) -> bool:
        """Structured output is needed."""
        ...

    @property
    def plans(self) -> bool:
        """A planner is needed."""
        ...

    @property
    def budget_usd(self) -> float | None:
        """The run's budget, when it has one."""
        ...


@dataclass(frozen=True)
class Conditions:
    """How things stand when the choice is made."""

    today: date
    """Tells which models are retired."""
    live: Mapping[str, LiveStats] = field(default_factory=dict)
    """Live figures by `provider/model`; a model without any counts as unseen."""
    prices: Mapping[str, Rates | None] = field(default_factory=dict)
    """List prices by `provider/model`."""
    load: Mapping[str, float] = field(default_factory=dict)
    """Share of its permits that a provider has given out, 0 to 1."""
    out: Mapping[str, str] = field(default_factory=dict)
    """Providers that are not called any more, and why."""
    paused: Mapping[str, str] = field(default_factory=dict)
    """Providers, or single models, that cannot be called at this moment, and why."""
