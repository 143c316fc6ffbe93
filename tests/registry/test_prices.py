"""Prices are those of genai-prices, compiled; an unknown one is None, never 0."""

import subprocess
import sys
from datetime import UTC, datetime
from itertools import product

import pytest
from genai_prices import Usage as VendorUsage
from genai_prices import calc_price

from ai3ray.domain.call import Usage
from ai3ray.registry.prices import Rates, RateTable
from ai3ray.registry.registry import Registry

VENDORS = {"anthropic": "anthropic", "openai": "openai", "xai": "x-ai"}
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
INPUTS = (0, 1, 999, 100_000, 100_001, 199_999, 200_000, 200_001, 272_000, 272_001, 900_000)
SHARES = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.6), (1.0, 0.0))


def vendor_price(provider: str, model: str, usage: Usage, at: datetime) -> float | None:
    counted = VendorUsage(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        price = calc_price(counted, model, provider_id=VENDORS[provider], genai_request_timestamp=at)
    except LookupError:
        return None
    return float(price.total_price)


def test_every_model_costs_what_genai_prices_says_over_a_grid(registry):
    known = 0
    for card in registry.cards(("anthropic", "openai", "xai")):
        for total, (read, write), output in product(INPUTS, SHARES, (0, 777)):
            usage = Usage(
                input_tokens=total,
                cached_tokens=int(total * read),
                cache_write_tokens=int(total * write),
                output_tokens=output,
            )
            expected = vendor_price(card.provider, card.id, usage, NOW)
            cost = registry.prices.cost(card.provider, card.id, usage, NOW)
            assert (cost is None) == (expected is None), card.name
            if expected is not None:
                known += 1
                assert cost == pytest.approx(expected, rel=1e-9, abs=1e-12), (card.name, usage)
    assert known > 1500


def test_a_tier_is_a_cliff_for_the_whole_request(registry):
    at, above = (
        registry.prices.cost("anthropic", "claude-haiku-5-5", Usage(input_tokens=tokens, output_tokens=1000))
        for tokens in (100_000, 100_001)
    )
    assert above / at == pytest.approx(5, rel=1e-4)


def test_prices_follow_the_day_of_the_call():
    table = RateTable(["xai/grok-4.20"])
    for day in (datetime(2026, 4, 29, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)):
        usage = Usage(input_tokens=1000, output_tokens=1000)
        expected = vendor_price("xai", "grok-4.20", usage, day)
        assert table.cost("xai", "grok-4.20", usage, day) == pytest.approx(expected)


def test_an_unknown_price_is_none(registry):
    usage = Usage(input_tokens=10, output_tokens=10)
    assert registry.prices.cost("openai", "gpt-6.2-sol", usage) is None
    assert registry.prices.cost("nobody", "x", usage) is None
    assert registry.prices.list_price("openai", "gpt-6.2-sol") is None


def test_no_tokens_of_a_known_model_cost_nothing(registry):
    assert registry.prices.cost("openai", "gpt-6.1-sol", Usage()) == 0.0


def test_the_list_price_is_that_of_a_small_request(registry):
    rates = registry.prices.list_price("openai", "gpt-6.1-sol", NOW)
    assert (rates.input, rates.output, rates.cache_read, rates.cache_write) == (2.0, 10.0, 0.1, 2.5)


def test_own_prices_go_first_and_add_what_is_missing(load_with):
    models = (
        "[prices.'gpt-6.2-sol']\ninput=2\noutput=10\n[prices.'openai/gpt-6-luna']\ninput=7\noutput=8\ncache_read=1\n"
    )
    prices = Registry.load(load_with(models)).prices
    usage = Usage(input_tokens=1_000_000, cached_tokens=500_000, output_tokens=1_000_000)
    assert prices.cost("openai", "gpt-6.2-sol", usage) == 12.0
    assert prices.cost("openai", "gpt-6-luna", usage) == 3.5 + 0.5 + 8


def test_more_cached_than_input_tokens_do_not_make_a_call_cheaper_than_free():
    table = RateTable(["a/b"], {"a/b": Rates(input=1, output=1, cache_read=0.1)})
    assert table.cost("a", "b", Usage(input_tokens=10, cached_tokens=99, cache_write_tokens=99)) == pytest.approx(1e-6)


def test_importing_and_loading_the_registry_leaves_genai_prices_alone():
    code = (
        "import sys; from pathlib import Path; from ai3ray.settings.load import load_settings;"
        "from ai3ray.registry.registry import Registry; import ai3ray.pool.pool;"
        "Registry.load(load_settings(env={'HOME': '/'}, cwd=Path('/')));"
        "bad = {'genai_prices', 'ray', 'duckdb', 'anthropic', 'openai'} & sys.modules.keys();"
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
