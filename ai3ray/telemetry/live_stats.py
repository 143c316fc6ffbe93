"""Statistics of the models' recent calls."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from ai3ray.domain.call import Usage
from ai3ray.domain.plan import Tier
from ai3ray.telemetry.decay import DecayClock, DecayingSum, DecayRate
from ai3ray.telemetry.pace import USUAL_TOKENS, Drift, ModelPace, PaceBelief

WINDOW = 64
"""Calls kept for the quantiles."""
TRAFFIC = 200
"""Latest calls of all models, for shares of the traffic."""
WARM_START_CALLS = 4
"""Calls that the journal's old figures count for."""
PRIOR_SUCCESSES = 4.75
PRIOR_FAILURES = 0.25
"""With PRIOR_SUCCESSES: 95 % succeed, weighing five calls."""


class ModelStats:
    """Live statistics of one model, with a shared decay clock."""

    def __init__(self, decay_clock: DecayClock, pace: ModelPace) -> None:
        self._decay_clock = decay_clock
        self._outcomes = DecayingSum(decay_clock)
        self.pace = pace
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._sorted: list[float] | None = []
        self._succeeded = 0
        self._judged = 0
        self._priced_tokens = 0
        self.calls = 0
        self.in_flight = 0
        self.cost_usd = 0.0
        """Of calls of known cost."""

    def begin(self) -> None:
        """Count a call as in flight."""
        self.in_flight += 1

    def end(
        self,
        *,
        success: bool | None,
        seconds: float = 0.0,
        cost_usd: float | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Record the end of a call.

        `success` is None if the outcome says nothing about the model, as a rate limit does. `seconds` counts on
        success; cost and usage are None where unknown.
        """
        self.in_flight -= 1
        self.calls += 1
        if cost_usd is not None:
            self.cost_usd += cost_usd
            self._priced_tokens += usage.input_tokens + usage.output_tokens if usage else 0
        if success is None:
            return
        self._decay_clock.tick()
        self._judged += 1
        self._outcomes.add(float(success))
        if success:
            self._succeeded += 1
            self._observe_success(seconds, usage.output_tokens if usage else USUAL_TOKENS, 1.0)

    def warm(
        self,
        *,
        calls: int,
        success: float,
        p50_s: float | None = None,
        cost_usd: float = 0.0,
        input_tokens: int = 0,
        output_tokens: int = 0,
    ) -> None:
        """Load the journal's figures, weighing at most WARM_START_CALLS.

        `success` is a share, 0 to 1; `p50_s` the median seconds of a call.
        """
        weight = float(min(calls, WARM_START_CALLS))
        self._outcomes.add(success, weight)
        self._succeeded, self._judged, self.calls, self.cost_usd = round(calls * success), calls, calls, cost_usd
        self._priced_tokens = input_tokens + output_tokens if cost_usd else 0
        if p50_s is not None:
            self._observe_success(p50_s, round(output_tokens / calls) if output_tokens else USUAL_TOKENS, weight)

    @property
    def success(self) -> float:
        """Discounted probability of success, 0 to 1: a Beta posterior's mean."""
        good, bad = self.outcomes()
        return good / (good + bad)

    def outcomes(self) -> tuple[float, float]:
        """Return that posterior's successes and failures, with the prior."""
        good, weight = self._outcomes.sums()
        return good + PRIOR_SUCCESSES, weight - good + PRIOR_FAILURES

    @property
    def share(self) -> float | None:
        """Plain share of successes; None before any outcome."""
        return self._succeeded / self._judged if self._judged else None

    @property
    def cost_per_1k_tokens(self) -> float | None:
        """Over input and output; None before any known cost."""
        return 1000.0 * self.cost_usd / self._priced_tokens if self._priced_tokens else None

    def quantile(self, q: float) -> float | None:
        """Return a nearest-rank quantile of successful calls' seconds; None before any."""
        if self._sorted is None:
            self._sorted = sorted(self._seconds)
        if not self._sorted:
            return None
        return self._sorted[min(int(q * len(self._sorted)), len(self._sorted) - 1)]

    def _observe_success(self, seconds: float, output_tokens: int, weight: float) -> None:
        self._seconds.append(seconds)
        self._sorted = None
        self.pace.observe(seconds, output_tokens, weight)


class LiveStats(Mapping[str, ModelStats]):
    """The live statistics of all called models, by `provider/model`.

    `clock` returns monotonic seconds. Evidence fades with time and every model's calls, so an idle model is forgiven.
    """

    def __init__(self, clock: Callable[[], float], rate: DecayRate | None = None) -> None:
        self.decay_clock = DecayClock(clock, rate or DecayRate())
        self._drift = Drift(self.decay_clock)
        self._models: dict[str, ModelStats] = {}
        self._latest: deque[str] = deque(maxlen=TRAFFIC)
        self._counts: Counter[str] = Counter()
        self._in_flight: dict[str, int] = {}

    def __getitem__(self, model: str) -> ModelStats:
        return self._models[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def of(self, model: str, tier: Tier = "standard") -> ModelStats:
        """Return a model's statistics, blank for a new one."""
        stats = self._models.get(model)
        if stats is None:
            stats = self._models[model] = ModelStats(self.decay_clock, ModelPace(self.decay_clock, self._drift, tier))
        return stats

    def pace(self, model: str, tier: Tier) -> PaceBelief:
        """Return the expected pace of a model's next call, even its first."""
        stats = self._models.get(model)
        return stats.pace.belief() if stats is not None else self._drift.unseen(tier)

    @property
    def in_flight(self) -> Mapping[str, int]:
        """A live view; idle models are absent."""
        return self._in_flight

    def call_began(self, model: str, tier: Tier = "standard") -> None:
        """Count a call in flight and in the traffic."""
        stats = self.of(model, tier)
        stats.begin()
        self._in_flight[model] = stats.in_flight
        self.count_traffic(model)

    def call_ended(
        self, model: str, *, success: bool | None, seconds: float, cost_usd: float | None, usage: Usage | None
    ) -> None:
        """Record a call's end; arguments as in `ModelStats.end`."""
        stats = self.of(model)
        stats.end(success=success, seconds=seconds, cost_usd=cost_usd, usage=usage)
        if stats.in_flight > 0:
            self._in_flight[model] = stats.in_flight
        else:
            self._in_flight.pop(model, None)

    def count_traffic(self, model: str) -> None:
        """Count a call in the traffic."""
        if len(self._latest) == TRAFFIC:
            self._counts[self._latest[0]] -= 1
        self._latest.append(model)
        self._counts[model] += 1

    def traffic(self, model: str) -> float | None:
        """Return a model's share of the latest TRAFFIC calls, 0 to 1; None before any."""
        return self._counts[model] / len(self._latest) if self._latest else None

    def load_traffic(self, models: Iterable[str]) -> None:
        """Count earlier calls, oldest first."""
        for model in models:
            self.count_traffic(model)
