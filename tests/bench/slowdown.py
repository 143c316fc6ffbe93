"""Latency-sensitive traffic while its fastest model is three times as slow for a while."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.router.candidates import candidate_set
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.router import Router
from ai3ray.settings.model import Settings
from tests.bench.choosers import TODAY

MEDIANS_S = (1.0, 1.3, 1.6)
"""Median seconds of each model's calls; the first is the one that becomes slow."""
SLOWER = 3.0
IN_FLIGHT = 4
PHASES = (300, 300, 400)
"""Calls before, during and after."""
_TOKENS = 200


class Slowdown(NamedTuple):
    """What became of the first model's traffic."""

    before: float
    """Its share of the calls before."""
    lost_after: int
    """Calls after it became slow from which on it has at most a fifth of that, over 30 calls."""
    meanwhile: float
    """Its share while it is slow, after the first 30 calls: what looking whether it has recovered takes."""
    back_after: int
    """Calls after it recovered from which on it has at least half of its share again, over 50 calls."""


def slowdown(table: Mapping[str, Any], seed: int) -> Slowdown:
    """Route calls as they end, IN_FLIGHT at a time, in virtual time, by the preset `fast`."""
    chosen = _calls(table, seed)
    slow, fast = PHASES[0], PHASES[0] + PHASES[1]

    def share(begin: int, end: int) -> float:
        return sum(model == 0 for model in chosen[begin:end]) / (end - begin)

    before = share(100, slow)
    lost = (n for n in range(PHASES[1] - 30) if share(slow + n, slow + n + 30) <= 0.2 * before)
    back = (n for n in range(PHASES[2] - 50) if share(fast + n, fast + n + 50) >= 0.5 * before)
    return Slowdown(before, next(lost, PHASES[1]), share(slow + 30, fast), next(back, PHASES[2]))


def _calls(table: Mapping[str, Any], seed: int) -> list[int]:
    """The model of each call."""
    rng, now = Random(seed), 0.0
    router = Router(Settings(router={**table, "preset": "fast"}), lambda: now, Random(seed + 1))
    cards = [ModelCard(provider=f"p{n}", id="m", quality={"writing": 0.85}) for n in range(len(MEDIANS_S))]
    priced_models = [PricedModel.of(card, Rates(input=2.0, output=10.0)) for card in cards]
    request = LeaseRequest(request_id="w", run_id="r", kind="writing", input_tokens=500)
    candidates = candidate_set(request, priced_models, TODAY)
    under_way: list[tuple[float, int, int, float, int]] = []
    chosen: list[int] = []
    while len(chosen) < sum(PHASES):
        if len(under_way) == IN_FLIGHT:
            now, _, model, seconds, tokens = heapq.heappop(under_way)
            usage = Usage(input_tokens=500, output_tokens=tokens)
            router.call_ended(cards[model].name, success=True, seconds=seconds, cost_usd=0.01, usage=usage)
        conditions = Conditions(today=TODAY, in_flight=router.live.in_flight)
        best = router.rank(request, candidates, conditions).best
        assert best is not None
        router.call_began(best)
        model, tokens = int(best.provider[1:]), round(_TOKENS * rng.lognormvariate(0.0, 0.4))
        slower = SLOWER if model == 0 and PHASES[0] <= len(chosen) < PHASES[0] + PHASES[1] else 1.0
        seconds = MEDIANS_S[model] * slower * (0.2 + 0.8 * tokens / _TOKENS) * rng.lognormvariate(0.0, 0.3)
        heapq.heappush(under_way, (now + seconds, len(chosen), model, seconds, tokens))
        chosen.append(model)
    return chosen
