"""The router of one pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.plan import Kind
from ai3ray.registry.cards import ModelCard
from ai3ray.router.candidates import CandidateSet
from ai3ray.router.conditions import Conditions, PricedModel
from ai3ray.router.draws import Draws
from ai3ray.router.posterior import Posterior, reward
from ai3ray.router.rank import Ranking, rank
from ai3ray.router.score_cache import ScoreCache
from ai3ray.router.tuning import load_tuning
from ai3ray.router.weights import load_weights
from ai3ray.settings.model import Settings
from ai3ray.telemetry.decay import DecayRate
from ai3ray.telemetry.live_stats import WARM_START_CALLS, LiveStats


class Router:
    """Ranks models, and learns from calls and verdicts.

    `clock` returns monotonic seconds; without `rng`, `router.toml` seeds the draws.

    Raises:
        SettingsError: `router.toml` is invalid.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float], rng: Random | None = None) -> None:
        weights, tuning = load_weights(settings), load_tuning(settings)
        evidence = tuning.evidence
        self.live = LiveStats(clock, DecayRate(evidence.calls_kept, evidence.calls_half_life_s))
        self._posterior = Posterior(clock, evidence)
        self._scores = ScoreCache(weights, self.live, self._posterior)
        rng = rng or Random(tuning.seed)  # noqa: S311 - exploration, not secrecy
        self._draw = Draws(rng, tuning.exploration) if tuning.exploration else None

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────

    def rank(self, request: LeaseRequest, candidates: CandidateSet, conditions: Conditions) -> Ranking:
        """Rank the models for an actual call."""
        return rank(request, candidates, conditions, self._scores, self._draw)

    def preview(self, request: LeaseRequest, candidates: CandidateSet, conditions: Conditions) -> Ranking:
        """Rank the models by expectation alone, hence repeatably."""
        return rank(request, candidates, conditions, self._scores)

    # ── learning ─────────────────────────────────────────────────────────────────────────────────

    def call_began(self, priced: PricedModel) -> None:
        """Count a call as in flight."""
        self.live.call_began(priced.name, priced.card.tier)

    def call_ended(
        self, model: str, *, success: bool | None, seconds: float, cost_usd: float | None, usage: Usage | None
    ) -> None:
        """Learn from a call's end; arguments as in `ModelStats.end`."""
        self.live.call_ended(model, success=success, seconds=seconds, cost_usd=cost_usd, usage=usage)
        if success is not None:
            self._scores.call_ended(model)

    def record_verdict(self, kind: Kind, card: ModelCard, *, passed: bool, score: float) -> None:
        """Learn from a verdict; the score, 0 to 1, counts only if passed."""
        if self._posterior.learn(kind, card, reward(passed=passed, score=score)):
            self._scores.clear()
        else:
            self._scores.answer_judged(kind, card.name)

    def load_call_stats(
        self, rows: Iterable[Mapping[str, Any]], card: Callable[[str], ModelCard | None], latest: Iterable[str] = ()
    ) -> None:
        """Load rows of the view `model_stats`, and the latest calls' models, oldest first."""
        for row in rows:
            judged = row["successes"] + row["failures"]
            known = card(row["model"])
            if judged:
                self.live.of(row["model"], known.tier if known is not None else "standard").warm(
                    calls=row["calls"],
                    success=row["successes"] / judged,
                    p50_s=row["p50_s"],
                    cost_usd=row["cost_usd"],
                    input_tokens=row.get("input_tokens") or 0,
                    output_tokens=row.get("output_tokens") or 0,
                )
        self.live.load_traffic(latest)

    def load_verdict_stats(self, rows: Iterable[Mapping[str, Any]], card: Callable[[str], ModelCard | None]) -> None:
        """Load rows of the view `model_kind_stats`, each for at most 2 * WARM_START_CALLS answers."""
        for row in rows:
            known = card(row["model"])
            if known is not None and row["verdicts"]:
                weight = min(row["verdicts"], 2 * WARM_START_CALLS)
                self._posterior.learn(row["kind"], known, row["mean_reward"], weight)
