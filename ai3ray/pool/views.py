"""The pool as listings show it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.listings import ModelView
from ai3ray.pool.account.account import Account
from ai3ray.registry.cards import ModelCard
from ai3ray.registry.registry import Registry
from ai3ray.router.candidates import exclusion
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.telemetry.live_stats import LiveStats


class ProviderView(Frozen):
    """One provider at one moment."""

    provider: str
    state: str
    """`ready`, or why it is not called now."""
    in_flight: int
    limit: int
    """Calls in flight allowed now."""
    ceiling: int
    """The most calls in flight, as configured."""
    waiting: int
    """Waiting requests that it could answer."""


class PoolSnapshot(Frozen):
    """The pool at one moment."""

    providers: tuple[ProviderView, ...]
    waiting: int


def provider_views(accounts: Mapping[str, Account], now: float, waiting: Mapping[str, int]) -> tuple[ProviderView, ...]:
    """Return one row per provider."""
    return tuple(
        ProviderView(
            provider=name,
            state=_outage(account) or account.pause_reason(now) or _class_pauses(account, now) or "ready",
            in_flight=account.limiter.in_flight,
            limit=account.limiter.limit,
            ceiling=account.limiter.ceiling,
            waiting=waiting.get(name, 0),
        )
        for name, account in accounts.items()
    )


def model_views(
    registry: Registry,
    passed_through: Iterable[ModelCard],
    accounts: Mapping[str, Account],
    live: LiveStats,
) -> list[ModelView]:
    """Return one row per registered or passed-through model."""
    cards = (*registry.cards(), *passed_through)
    return [_model_view(registry, card, accounts.get(card.provider), live) for card in cards]


def no_model_message(request: LeaseRequest, priced_models: Sequence[PricedModel], conditions: Conditions) -> str:
    """Return why no model is left: each reason with its models."""
    reasons: dict[str, list[str]] = {}
    for priced in priced_models:
        if not request.models or priced.name in request.models:
            reasons.setdefault(exclusion(request, priced, conditions) or "ready", []).append(priced.name)
    known = {priced.name for priced in priced_models}
    for name in request.models:
        if name not in known:
            reasons.setdefault("its provider is not configured", []).append(name)
    if not reasons:
        return "no model is left: no provider is configured"
    return "no model is left: " + "; ".join(f"{reason}: {', '.join(names)}" for reason, names in reasons.items())


def _model_view(registry: Registry, card: ModelCard, account: Account | None, live: LiveStats) -> ModelView:
    seen = live.get(card.name)
    rates = registry.prices.list_price(card.provider, card.id)
    cost_known = seen is not None and (rates is not None or seen.cost_usd > 0)
    if registry.retired(card):
        state = "retired"
    elif account is None:
        state = "unconfigured"
    else:
        state = _outage(account) or "ready"
    return ModelView(
        model=card.name,
        provider=card.provider,
        tier=card.tier,
        context=card.context,
        max_output=card.max_output,
        configured=account is not None,
        state=state,
        input_usd_per_mtok=rates.input if rates else None,
        output_usd_per_mtok=rates.output if rates else None,
        calls=seen.calls if seen else 0,
        success=seen.share if seen else None,
        p50_s=seen.quantile(0.5) if seen else None,
        p95_s=seen.quantile(0.95) if seen else None,
        cost_usd=seen.cost_usd if seen is not None and cost_known else None,
        cost_per_1k_tokens=seen.cost_per_1k_tokens if seen else None,
        in_flight=seen.in_flight if seen else 0,
        share=live.traffic(card.name),
        limit=account.limiter.limit if account is not None else None,
    )


def _outage(account: Account) -> str | None:
    return f"out: {account.failure.message}" if account.failure and account.out else None


def _class_pauses(account: Account, now: float) -> str | None:
    """Return why some models are paused, by rate class if several."""
    reasons = {name: rate_class.pause_reason(now) for name, rate_class in account.rate_classes.items()}
    paused = {name: reason for name, reason in reasons.items() if reason is not None}
    return "; ".join(f"{name}: {reason}" if name else reason for name, reason in paused.items()) or None
