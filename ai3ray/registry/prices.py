"""Prices of calls: a table compiled once, from `models.toml` and genai-prices.

genai-prices takes 0.3 s to import and 0.8 ms per price; it is read once per model, at the first price, never per call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from threading import Lock
from typing import Any, NamedTuple

from pydantic import Field

from ai3ray.domain.call import Usage
from ai3ray.domain.frozen import Frozen

_MTOK = 1e6
_VENDORS = {"xai": "x-ai"}  # from our name to that of genai-prices


class Rates(Frozen):
    """US dollars per million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    """Uncached."""
    output: float = Field(ge=0, allow_inf_nan=False)
    cache_read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input read from the provider's cache; `input` when absent."""
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input written to the provider's cache; `input` when absent."""


class PriceStep(NamedTuple):
    """Rates of requests with more than `above` input tokens, for the whole request."""

    above: int
    rates: Rates


class PricePeriod(NamedTuple):
    """Rates from a day on, by size of the request, smallest first."""

    start: date
    steps: tuple[PriceStep, ...]


class RateTable:
    """Prices of the given models.

    Args:
        names: the models, as `provider/model`.
        own: rates that override genai-prices, by `provider/model`.
    """

    def __init__(self, names: Iterable[str], own: Mapping[str, Rates] | None = None) -> None:
        self._names = frozenset(names)
        self._periods: dict[str, tuple[PricePeriod, ...]] = {
            name: (PricePeriod(date.min, (PriceStep(-1, rates),)),) for name, rates in (own or {}).items()
        }
        self._compiled = self._names <= self._periods.keys()
        self._compiling = Lock()

    def compile(self) -> None:
        """Read genai-prices now instead of at the first price; takes 0.3 to 0.5 s, once.

        Safe to call in a thread; concurrent callers of `cost` wait for it.
        """
        with self._compiling:
            if self._compiled:
                return
            found = {name: _vendor_periods(*name.split("/", 1)) for name in self._names - self._periods.keys()}
            self._periods = self._periods | {name: periods for name, periods in found.items() if periods}
            self._compiled = True

    def cost(self, provider: str, model: str, usage: Usage, at: datetime | None = None) -> float | None:
        """Return the US dollars of a call made at `at` (None: now); None if unknown."""
        period = self._period(f"{provider}/{model}", at)
        if period is None:
            return None
        rates = _rates_for(period, usage.input_tokens)
        read = min(usage.cached_tokens, usage.input_tokens)
        write = min(usage.cache_write_tokens, usage.input_tokens - read)
        dollars = (
            (usage.input_tokens - read - write) * rates.input
            + read * (rates.input if rates.cache_read is None else rates.cache_read)
            + write * (rates.input if rates.cache_write is None else rates.cache_write)
            + usage.output_tokens * rates.output
        )
        return round(dollars / _MTOK, 12)

    def uncached_cost(self, provider: str, model: str, input_tokens: int, output_tokens: int) -> float | None:
        """Return the US dollars of a call made now without caching; None if unknown."""
        period = self._period(f"{provider}/{model}", None)
        if period is None:
            return None
        rates = _rates_for(period, input_tokens)
        return round((input_tokens * rates.input + output_tokens * rates.output) / _MTOK, 12)

    def list_price(self, provider: str, model: str, at: datetime | None = None) -> Rates | None:
        """Return the rates of a small request; None when unknown."""
        period = self._period(f"{provider}/{model}", at)
        return period.steps[0].rates if period else None

    def _period(self, name: str, at: datetime | None) -> PricePeriod | None:
        if name not in self._periods:
            if name not in self._names:
                return None
            self.compile()
        periods = self._periods.get(name, ())
        if len(periods) < 2:
            return periods[0] if periods else None
        moment = datetime.now(UTC) if at is None else at
        day = (moment.astimezone(UTC) if moment.tzinfo else moment).date()
        # The latest period that has begun applies; before all of them, the first.
        return next((period for period in reversed(periods) if period.start <= day), periods[0])


def _rates_for(period: PricePeriod, input_tokens: int) -> Rates:
    steps = period.steps
    return steps[0].rates if len(steps) == 1 else next(s.rates for s in reversed(steps) if input_tokens > s.above)


def _vendor_periods(provider: str, model: str) -> tuple[PricePeriod, ...]:
    """Return genai-prices' rates of a model; empty when it has none or prices by the hour."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ConditionalPrice, StartDateConstraint

    try:
        _, info = get_snapshot().find_provider_model(model, None, _VENDORS.get(provider, provider), None)
    except LookupError:
        return ()
    dated = info.prices if isinstance(info.prices, list) else [ConditionalPrice(prices=info.prices)]
    periods = []
    for entry in dated:
        steps = _steps(entry.prices)
        if steps is None or not isinstance(entry.constraint, StartDateConstraint | None):
            return ()
        periods.append(PricePeriod(entry.constraint.start_date if entry.constraint else date.min, steps))
    return tuple(periods)


def _steps(prices: Any) -> tuple[PriceStep, ...] | None:
    """Return one step per threshold of any of the prices."""
    given = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    if given[0] is None or given[1] is None:
        return None
    thresholds = {tier.start for price in given for tier in getattr(price, "tiers", ())}
    steps = []
    for above in sorted({-1} | thresholds):
        uncached, output, read, write = (_price_above(price, above) for price in given)
        rates = Rates(input=uncached or 0.0, output=output or 0.0, cache_read=read, cache_write=write)
        steps.append(PriceStep(above, rates))
    return tuple(steps)


def _price_above(price: Any, above: int) -> float | None:
    """Return the price of a request with more than `above` input tokens."""
    reached = [tier.price for tier in getattr(price, "tiers", ()) if tier.start <= above]
    flat = reached[-1] if reached else getattr(price, "base", price)
    return None if flat is None else float(flat)
