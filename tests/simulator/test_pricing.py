"""Bills are exact, and the price table is the one that ai3ray reckons with."""

import pytest

from ai3ray.domain.call import Usage
from ai3ray.registry.prices import RateTable
from ai3ray.simulator import Price, SimulatorSettings
from ai3ray.simulator.pricing import TICKS_PER_USD, UsedTokens

VENDOR = {"claude": "anthropic", "gpt": "openai", "grok": "xai"}
UNKNOWN_TO_GENAI_PRICES = {"gpt-6.2-astra", "gpt-6.2-sol"}
PRICES = SimulatorSettings.load().prices


@pytest.fixture(scope="module")
def table():
    rates = RateTable(f"{VENDOR[model.split('-')[0]]}/{model}" for model in PRICES)
    rates.compile()
    return rates


@pytest.mark.parametrize("model", sorted(PRICES.keys() - UNKNOWN_TO_GENAI_PRICES))
@pytest.mark.parametrize("size", [1, 1000, 100_000, 100_001, 199_999, 200_000, 272_000, 272_001, 900_000])
def test_a_bill_is_what_ai3ray_reckons(table, model, size):
    used = UsedTokens(size, cache_read=size // 3, cache_write=size // 4, output_tokens=777)
    usage = Usage(input_tokens=size, cached_tokens=size // 3, cache_write_tokens=size // 4, output_tokens=777)
    if PRICES[model].cache_write is None:
        used, usage = used._replace(cache_write=0), usage.model_copy(update={"cache_write_tokens": 0})
    reckoned = table.cost(VENDOR[model.split("-")[0]], model, usage)
    assert PRICES[model].ticks(used) / TICKS_PER_USD == pytest.approx(reckoned, abs=1e-10)


def test_a_cache_costs_a_tenth_to_read_and_a_quarter_more_to_write_where_nothing_is_said():
    price = Price(input=2, output=10)
    thousand = price.ticks(UsedTokens(1000))
    assert price.ticks(UsedTokens(1000, cache_read=1000)) == thousand / 10
    assert price.ticks(UsedTokens(1000, cache_write=1000)) == thousand * 1.25
    assert price.ticks(UsedTokens(1000, cache_write_1h=1000)) == thousand * 2
    assert UsedTokens(1000, 100, 200, 300).fresh == 400


def test_a_long_request_has_long_prices_for_its_cached_part_too():
    price = Price(input=2, output=10, cache_read=0.1, long_from=1000, long_input=4, long_output=15)
    assert (
        price.ticks(UsedTokens(1000, cache_read=1000, output_tokens=0))
        == 2 * price.ticks(UsedTokens(999, cache_read=999)) + 2000
    )
