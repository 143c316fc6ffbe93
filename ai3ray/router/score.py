"""The score of a candidate: a weighted sum of terms between 0 and 1, higher is better."""

from __future__ import annotations

from ai3ray.domain.plan import Tier
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.prices import Rates
from ai3ray.router.weights import Weights
from ai3ray.router.wish import Conditions, Wish

_RANK: dict[Tier, int] = {"small": 0, "standard": 1, "frontier": 2}
_TIER_FIT = {0: 1.0, 1: 0.6, 2: 0.2, -1: 0.3, -2: 0.0}
"""By how many tiers the model is above the one wanted: rather too strong than too weak."""
_USUAL_S: dict[Tier, float] = {"small": 4.0, "standard": 10.0, "frontier": 20.0}
"""Seconds that a call is taken to last before one was seen."""
_HALF_S = 10.0
"""Seconds at which the latency term is one half."""
_HALF_USD_PER_MTOK = 4.0
"""Price at which the cost term is one half."""
_UNKNOWN_COST = 0.2
"""The cost term of an unknown price, that of a frontier model."""
_UNKNOWN_QUALITY = 0.5
_UNSEEN_SUCCESS = 0.95


def score_terms(wish: Wish, card: ModelCard, conditions: Conditions, weights: Weights) -> dict[str, float]:
    """Each weighted term by name, to four places; their sum is the score."""
    name = card.name
    seen = conditions.live.get(name)
    p50 = seen.quantile(0.5) if seen else None
    latency = _USUAL_S[card.tier] if p50 is None else p50
    return {
        "quality": round(weights.quality * card.quality.get(wish.kind, _UNKNOWN_QUALITY), 4),
        "tier": round(weights.tier * _TIER_FIT[_RANK[card.tier] - _RANK[wish.tier]], 4),
        "success": round(weights.success * (seen.success if seen else _UNSEEN_SUCCESS), 4),
        "latency": round(weights.latency * _HALF_S / (_HALF_S + latency), 4),
        "cost": round(weights.cost * _cheapness(wish, conditions.prices.get(name)), 4),
        "load": round(weights.load * (1.0 - conditions.load.get(card.provider, 0.0)), 4),
    }


def _cheapness(wish: Wish, rates: Rates | None) -> float:
    """From the mean price of this call's tokens, input and output as they are expected."""
    if rates is None:
        return _UNKNOWN_COST
    tokens = wish.input_tokens + wish.max_output_tokens
    share = wish.input_tokens / tokens if tokens else 0.5
    mean = share * rates.input + (1 - share) * rates.output
    return _HALF_USD_PER_MTOK / (_HALF_USD_PER_MTOK + mean)
