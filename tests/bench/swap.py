"""What happens when two models change places half-way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.bench.choosers import Make
from tests.bench.outcomes import Outcomes, Prompt

WINDOW = 100
"""Prompts of the moving average."""
TOLERANCE = 0.03
"""By how much the mean regret may be above that before the change, for a chooser to count as recovered."""


class Swap(NamedTuple):
    """How a chooser took the change. Regret: the mean score of the best model of the kind less that of the chosen."""

    regret_before: float
    """Mean regret over the last 500 prompts before."""
    regret_after: float
    """Mean regret over the first 300 prompts after."""
    recovered_after: int
    """Prompts after the change until the first WINDOW with a mean regret of no more than before + TOLERANCE has
    ended; all that were left when there is none."""


def swap(outcomes: Outcomes, make: Make, pair: tuple[int, int], seed: int) -> Swap:
    """Let two models change places half-way, and watch a chooser that goes by quality alone."""
    regrets = _regrets(outcomes, make, pair, seed)
    half = len(regrets) // 2
    before = sum(regrets[half - 500 : half]) / min(500, half)
    after = regrets[half:]
    ends = (
        begin + WINDOW
        for begin in range(len(after) - WINDOW)
        if sum(after[begin : begin + WINDOW]) / WINDOW <= before + TOLERANCE
    )
    return Swap(before, sum(after[:300]) / len(after[:300]), next(ends, len(after)))


def swapped_pairs(outcomes: Outcomes) -> list[tuple[int, int]]:
    """The best model with the worst, and with the middle one."""
    totals = [sum(prompt.scores[model] for prompt in outcomes.prompts) for model in range(len(outcomes.models))]
    ranked = sorted(range(len(totals)), key=lambda model: -totals[model])
    return [(ranked[0], ranked[-1]), (ranked[0], ranked[len(ranked) // 2])]


def _regrets(outcomes: Outcomes, make: Make, pair: tuple[int, int], seed: int) -> list[float]:
    expected, prompts = outcomes.expected(), outcomes.shuffled(seed)
    chooser, regrets = make(outcomes, 0.0, seed), []
    for number, prompt in enumerate(prompts):
        changed = number >= len(prompts) // 2
        scores = _exchanged(prompt.scores, pair) if changed else prompt.scores
        means = _exchanged(expected[prompt.kind], pair) if changed else expected[prompt.kind]
        model = chooser.choose(Prompt(prompt.kind, prompt.input_tokens, tuple(scores)))
        regrets.append(max(means) - means[model])
        chooser.learn(prompt, model, scores[model])
    return regrets


def _exchanged(values: Sequence[float], pair: tuple[int, int]) -> list[float]:
    changed = list(values)
    changed[pair[0]], changed[pair[1]] = values[pair[1]], values[pair[0]]
    return changed
