"""Cost and quality of choosers: curves, and the area below them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from tests.bench.choosers import Chooser, Make
from tests.bench.outcomes import Outcomes, Prompt

Point = tuple[float, float]
"""Mean US dollars and mean score of an answer."""
SWEEP = (0.0, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.7, 0.85)
"""Weights of the cost, from quality at any price to price at any quality."""


def play(outcomes: Outcomes, prompts: Sequence[Prompt], chooser: Chooser) -> Point:
    """Cost and quality of a chooser over all prompts, its learning included."""
    cost = quality = 0.0
    for prompt in prompts:
        model = chooser.choose(prompt)
        cost += outcomes.cost(prompt, model)
        quality += prompt.scores[model]
        chooser.learn(prompt, model, prompt.scores[model])
    return cost / len(prompts), quality / len(prompts)


def area_of(outcomes: Outcomes, make: Make, seed: int) -> float:
    """Area below a chooser's cost-quality curve, over the prompts in an order of this seed."""
    prompts = outcomes.shuffled(seed)
    return area(outcomes, [play(outcomes, prompts, make(outcomes, cost, seed)) for cost in SWEEP])


def area(outcomes: Outcomes, points: Iterable[Point]) -> float:
    """Mean height of the upper hull of these points between the cheapest and the dearest model.

    Between two points lies what mixing them by chance gives, to the right what the better one gives. Everybody
    may also always ask the cheapest model, so that every curve begins at the same place.
    """
    singles = single_models(outcomes)
    cheapest, dearest = min(singles), max(singles)
    hull = _hull([*points, cheapest])
    hull.append((max(dearest[0], hull[-1][0]), hull[-1][1]))
    total = 0.0
    for (left, low), (right, high) in itertools.pairwise(hull):
        end = min(right, dearest[0])
        if end > left:
            total += (end - left) * (low + low + (high - low) * (end - left) / (right - left)) / 2
    return total / (dearest[0] - cheapest[0])


def single_models(outcomes: Outcomes) -> list[Point]:
    """Cost and quality of each model asked always."""
    count = len(outcomes.prompts)
    return [
        (
            sum(outcomes.cost(prompt, model) for prompt in outcomes.prompts) / count,
            sum(prompt.scores[model] for prompt in outcomes.prompts) / count,
        )
        for model in range(len(outcomes.models))
    ]


def _hull(points: Iterable[Point]) -> list[Point]:
    """The upper hull up to the best point, by rising cost."""
    hull: list[Point] = []
    for point in sorted(points, key=lambda one: (one[0], -one[1])):
        if hull and point[1] <= hull[-1][1]:
            continue
        while len(hull) > 1 and _below(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _below(first: Point, middle: Point, last: Point) -> bool:
    """Whether the middle point lies on or below the line between the others."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])
