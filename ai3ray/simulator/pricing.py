"""The vendors' prices in whole ticks, so that sums are exact."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from ai3ray.domain.frozen import Frozen

TICKS_PER_USD = 10**10
"""xAI's billing unit is 1e-10 US dollars; the ledger counts in it."""
_TICKS_PER_TOKEN = TICKS_PER_USD / 1e6
"""The price of a token at one US dollar per million."""
_READ, _WRITE, _WRITE_1H = 0.1, 1.25, 2.0
"""Multiples of the input price for reading and writing a cache (Anthropic's price page)."""


class UsedTokens(NamedTuple):
    """The tokens of one call."""

    input_tokens: int
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    """Input written to the cache for an hour."""
    output_tokens: int = 0
    """All output, reasoning included."""

    @property
    def fresh(self) -> int:
        """Input that the cache neither gave nor took."""
        return self.input_tokens - self.cache_read - self.cache_write - self.cache_write_1h


class Price(Frozen):
    """A model's price, in US dollars per million tokens."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cache_read: float | None = Field(default=None, ge=0)
    """A tenth of `input` when absent."""
    cache_write: float | None = Field(default=None, ge=0)
    """When absent, Anthropic bills 1.25 times `input`, the others `input`."""
    long_from: int | None = None
    """The input tokens from which the long prices apply to the whole request."""
    long_input: float = 0.0
    """Input of a long request; cache prices grow in proportion."""
    long_output: float = 0.0

    def ticks(self, used: UsedTokens) -> int:
        """Return the bill of one call in ticks."""
        read = self.input * _READ if self.cache_read is None else self.cache_read
        write = self.input * _WRITE if self.cache_write is None else self.cache_write
        long = self.long_from is not None and used.input_tokens >= self.long_from
        grown = self.long_input / self.input if long and self.input else 1.0
        of_input = used.fresh * self.input + used.cache_read * read + used.cache_write * write
        of_input += used.cache_write_1h * self.input * _WRITE_1H
        of_output = used.output_tokens * (self.long_output if long else self.output)
        return round((of_input * grown + of_output) * _TICKS_PER_TOKEN)

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """Return the bill in US dollars of a call without caching."""
        return self.ticks(UsedTokens(input_tokens, output_tokens=output_tokens)) / TICKS_PER_USD
