"""The routing bench in small: a synthetic set, one order."""

from ai3ray.domain.plan import KINDS
from tests.bench.bench_routing import areas, choosers, misses, shipped, slowdowns, swaps
from tests.bench.curves import area, single_models
from tests.bench.outcomes import Outcomes, Prompt, load_outcomes

SEEDS = range(1, 2)


def test_the_router_is_above_what_it_has_to_be_better_than():
    outcomes, table = load_outcomes(None, 1, 2400), shipped()
    makes = choosers(table)
    report = {
        "area": areas(outcomes, makes, SEEDS),
        "swap": swaps(outcomes, {"router": makes["router"]}, SEEDS),
        "slowdown": slowdowns(table, range(1, 9)),
    }
    assert misses(report) == []
    worse = {**report, "area": {**report["area"], "router": 0.0}}
    assert len(misses(worse)) == 4


def test_the_area_below_a_curve():
    """Two models: 0.4 for 1 dollar, 0.8 for 3. Between them lies the line, beside the better one nothing."""
    prompts = (Prompt(KINDS[0], 0, (0.4, 0.8)),)
    outcomes = Outcomes("", ("cheap", "dear"), (1e6 / 256, 3e6 / 256), prompts)
    assert single_models(outcomes) == [(1.0, 0.4), (3.0, 0.8)]
    close = lambda value, wanted: abs(value - wanted) < 1e-9  # noqa: E731
    assert close(area(outcomes, single_models(outcomes)), 0.6)
    assert close(area(outcomes, []), 0.4)
    assert close(area(outcomes, [(2.0, 0.8), (3.0, 0.7)]), 0.7)
    assert close(area(outcomes, [(2.0, 0.3)]), 0.4)
