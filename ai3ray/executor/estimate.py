"""Estimates of plans."""

from __future__ import annotations

from collections.abc import Sequence

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import LeaseRequest
from ai3ray.domain.listings import PlanPreview
from ai3ray.domain.money import dollars
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.domain.request import RunRequest
from ai3ray.domain.tokens import estimated_tokens
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.prices import RateTable

OUTPUT_TOKENS = 600
"""Assumed answer: about 450 English words."""
OVERHEAD_TOKENS = 250
"""System prompt, titles and fences of a task."""
TOKENS_PER_S = 60.0
"""Assumed speed of an unmeasured model."""


def estimate(graph: TaskGraph, request: RunRequest, pool: ProviderPool, prices: RateTable) -> dict[str, float | None]:
    """Estimate without retries: OUTPUT_TOKENS per task at the router's present choice.

    Returns:
        `cost_usd` at list price, None if a chosen model's is unknown; `seconds` of the critical path at
        median latencies.
    """
    measured = {view.model: view for view in pool.views()}
    cost: float | None = 0.0
    finish: dict[str, float] = {}
    for task in graph.topological():
        ranked = pool.preview(
            LeaseRequest(request_id="", run_id="", kind=task.kind, tier=task.tier, models=request.models)
        )
        model = next((candidate.model for candidate in ranked if candidate.excluded is None), None)
        price = _price(task, model, prices) if model else None
        cost = None if cost is None or price is None else cost + price
        start = max((finish[dep] for dep in task.depends_on), default=0.0)
        view = measured.get(model or "")
        median = view.p50_s if view is not None else None
        finish[task.id] = start + (OUTPUT_TOKENS / TOKENS_PER_S if median is None else median)
    return {
        "cost_usd": None if cost is None else round(cost, 6),
        "seconds": round(max(finish.values(), default=0.0), 1),
    }


def preview(
    graph: TaskGraph, request: RunRequest, pool: ProviderPool, prices: RateTable, warnings: Sequence[str] = ()
) -> PlanPreview:
    """Return plan and estimate, with a warning if over budget."""
    figures = estimate(graph, request, pool, prices)
    cost, budget = figures["cost_usd"], request.budget_usd
    if cost is not None and budget is not None and cost > budget:
        over = f"the plan is estimated at {dollars(cost)}, more than its budget of {dollars(budget)}"
        warnings = (*warnings, over)
    return PlanPreview(plan=graph, estimate=figures, warnings=tuple(warnings))


def _price(task: Task, model: str, prices: RateTable) -> float | None:
    provider, _, model_id = model.partition("/")
    reads = estimated_tokens(len(task.prompt)) + OVERHEAD_TOKENS + OUTPUT_TOKENS * len(task.depends_on)
    return prices.cost(provider, model_id, Usage(input_tokens=reads, output_tokens=OUTPUT_TOKENS))
