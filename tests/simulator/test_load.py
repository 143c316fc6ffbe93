"""A small form of the load bench: hundreds of calls at once are all answered, and cost little."""

import pytest

from tests.bench.bench_simulator import TARGET_MS, measure


@pytest.mark.parametrize(("vendor", "stream"), [("anthropic", True), ("openai", False)])
def test_hundreds_of_calls_at_once_cost_little(vendor, stream):
    row = measure(vendor, "short", stream=stream, calls=600, in_flight=300, seed=1)
    assert row.failed == 0
    assert row.cpu_ms < 2 * TARGET_MS  # twice, for what the machine does beside it
