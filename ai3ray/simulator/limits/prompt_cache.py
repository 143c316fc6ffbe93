"""The prompt cache of one account, with the clock passed in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

from ai3ray.simulator.pricing import UsedTokens
from ai3ray.simulator.simulator_settings import Caching
from ai3ray.simulator.wires.parsed_request import CHARS_PER_TOKEN, ContentBlock, ParsedRequest

LOOKBACK = 20
"""How many blocks before a breakpoint Anthropic looks for a cached prefix."""
STEP_TOKENS = 128
"""OpenAI caches prefixes in steps of this size."""
_HOUR_S = 3600.0
_MOST_ENTRIES = 50_000


@dataclass(slots=True)
class CacheRead:
    """The effect of the cache on one call."""

    read: int = 0
    write: int = 0
    """Tokens written for the usual lifetime."""
    write_1h: int = 0
    entries: list[tuple[bytes, float]] = field(default_factory=list)
    """Prefixes to keep once the answer begins, as digest and lifetime in seconds."""

    def used(self, input_tokens: int, output_tokens: int) -> UsedTokens:
        """Return the tokens of the call."""
        return UsedTokens(input_tokens, self.read, self.write, self.write_1h, output_tokens)


class PromptCache:
    """Prompt prefixes by model. A prefix becomes readable when the first answer to it begins."""

    def __init__(self, caching: Caching) -> None:
        self._caching = caching
        self._until: dict[bytes, float] = {}

    def read(self, now: float, request: ParsedRequest, *, counts_writes: bool) -> CacheRead:
        """Look up a request's prompt; reading an entry extends its life.

        Args:
            now: the clock, in seconds.
            request: the request.
            counts_writes: whether the vendor bills what its automatic cache writes.
        """
        least = self._caching.min_tokens_of.get(request.model, self._caching.min_tokens)
        if not self._caching.enabled or request.input_tokens < least:
            return CacheRead()
        if request.vendor == "anthropic":
            return self._marked(now, request, least) if request.blocks else CacheRead()
        return self._automatic(now, request, least, counts_writes=counts_writes)

    def mark_readable(self, now: float, cache_read: CacheRead) -> None:
        """Keep the prefixes of an answer that has begun."""
        if len(self._until) > _MOST_ENTRIES:
            self._until = {digest: until for digest, until in self._until.items() if until > now}
        for digest, ttl_s in cache_read.entries:
            self._until[digest] = max(now + ttl_s, self._until.get(digest, 0.0))
        cache_read.entries = []

    def _marked(self, now: float, request: ParsedRequest, least: int) -> CacheRead:
        """Read and write up to breakpoints, looking back LOOKBACK blocks, as Anthropic does."""
        places = list(_places(request))
        marked = [index for index, (_, ahead, block) in enumerate(places) if block.ttl and ahead >= least]
        # 1. The longest cached prefix is read.
        found = CacheRead()
        found.read = next((size for at in reversed(marked) if (size := self._longest_prefix(now, places, at))), 0)
        # 2. Each breakpoint beyond it is written; only the tokens since the one before are paid.
        paid = found.read
        for at in marked:
            digest, ahead, block = places[at]
            if ahead <= found.read:
                continue
            long = block.ttl == "1h"
            found.entries.append((digest, _HOUR_S if long else self._caching.ttl_s))
            if long:
                found.write_1h += ahead - paid
            else:
                found.write += ahead - paid
            paid = ahead
        return found

    def _longest_prefix(self, now: float, places: list[tuple[bytes, int, ContentBlock]], at: int) -> int:
        """Return the tokens of the longest cached prefix that ends at a breakpoint or shortly before."""
        for digest, ahead, block in reversed(places[max(0, at - LOOKBACK) : at + 1]):
            if self._alive(now, digest, _HOUR_S if block.ttl == "1h" else self._caching.ttl_s):
                return ahead
        return 0

    def _automatic(self, now: float, request: ParsedRequest, least: int, *, counts_writes: bool) -> CacheRead:
        """Read and write whole steps from the start of the prompt, as OpenAI and xAI do."""
        found = CacheRead()
        size = request.input_tokens // STEP_TOKENS * STEP_TOKENS
        for digest, ahead in _steps(request, size):
            if ahead < least:
                continue
            # Prefixes are stored with all shorter ones: after the first unknown step none is known.
            if not found.entries and self._alive(now, digest, self._caching.ttl_s):
                found.read = ahead
            else:
                found.entries.append((digest, self._caching.ttl_s))
        if counts_writes and found.entries:
            found.write = size - found.read
        return found

    def _alive(self, now: float, digest: bytes, ttl_s: float) -> bool:
        until = self._until.get(digest)
        if until is None or until <= now:
            return False
        self._until[digest] = max(until, now + ttl_s)
        return True


def _places(request: ParsedRequest) -> Iterator[tuple[bytes, int, ContentBlock]]:
    """Yield for each block the digest and the tokens of the prompt up to its end."""
    whole = blake2b(request.model.encode(), digest_size=16)
    chars = 0
    for block in request.blocks:
        whole.update(f"\0{len(block.text)}\0{block.text}".encode())
        chars += block.chars
        yield whole.digest(), min(chars // CHARS_PER_TOKEN, request.input_tokens), block


def _steps(request: ParsedRequest, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield for each step the digest and the tokens of the prompt up to its end."""
    whole = blake2b(request.model.encode(), digest_size=16)
    width = STEP_TOKENS * CHARS_PER_TOKEN
    for ahead in range(STEP_TOKENS, size + 1, STEP_TOKENS):
        at = ahead * CHARS_PER_TOKEN
        whole.update(request.prompt[at - width : at].encode())
        yield whole.digest(), ahead
