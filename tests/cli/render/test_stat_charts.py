"""The journal's figures on a screen."""

import json
from dataclasses import replace

import pytest

from cli.journal_stats import JournalStats
from cli.render.stat_charts import DAYS, MODELS, journal_stats_json, journal_stats_text


def cost(day, model="sim/a", usd=0.5, complete=True):
    return {"day": day, "model": model, "calls": 2, "cost_usd": usd, "cost_complete": complete}


PROVIDER = {"provider": "sim", "calls": 10, "succeeded": 9, "failed": 1, "rate_limited": 1, "maybe_paid": 0}
FIGURES = JournalStats(
    since=None,
    cost=[cost("2026-11-22"), cost("2026-11-22", "sim/b", 0.0, complete=False), cost("2026-11-23", usd=1.0)],
    latency=[{"model": "sim/a", "calls": 4, "p50_s": 1.0, "p95_s": 2.0, "first_token_p50_s": 0.1}],
    providers=[PROVIDER | {"success_rate": 0.9}],
    runs=[{"status": "succeeded", "runs": 3, "cost_usd": 1.5}],
    kinds=[{"kind": "coding", "tasks": 4, "verified": 3, "passed": 2, "repairs": 1, "mean_score": 0.8}],
)
NOTHING = JournalStats(since=None, cost=[], latency=[], providers=[], runs=[], kinds=[])


def test_every_figure_is_named():
    text = journal_stats_text(FIGURES, width=80)
    for words in (
        "3 runs, 6 calls, $1.5000 + $?",
        "1.00 s / 2.00 s",
        "90% of 10 calls, 1 rate-limited",
        "2 of 3 passed, 1 repair",
    ):
        assert words in text
    days = [line.split() for line in text.splitlines() if line.startswith("2026")]
    assert days == [["2026-11-22", "$0.5000", "+", "$?"], ["2026-11-23", "$1.0000"]]


@pytest.mark.parametrize("width", [80, 40, 20])
def test_no_line_is_longer_than_the_terminal(width):
    assert max(map(len, journal_stats_text(FIGURES, width=width).splitlines()[1:])) <= width


def test_nothing_yet_is_said():
    assert journal_stats_text(NOTHING) == "no runs yet\n"
    assert journal_stats_text(replace(NOTHING, since="2026-11-22T00:00:00Z")) == "no runs since 2026-11-22T00:00:00Z\n"


def test_a_provider_whose_calls_have_not_ended_has_no_rate():
    running = [PROVIDER | {"succeeded": 0, "failed": 0, "success_rate": None}]
    assert "- of 0 calls" in journal_stats_text(replace(FIGURES, providers=running), width=80)


def test_a_long_history_shows_its_newest_days_and_sums_up_the_rest():
    days = [cost(f"2026-{month:02}-{day:02}") for month in (1, 2) for day in range(1, 29)]
    text = journal_stats_text(replace(FIGURES, cost=days), width=80)
    assert text.count("2026-02") == DAYS
    assert f"{56 - DAYS} earlier days" in text
    models = [cost("2026-01-01", f"sim/{n}", 1.0 - n / 100) for n in range(MODELS + 3)]
    assert "3 more models" in journal_stats_text(replace(FIGURES, cost=models), width=80)


def test_json_has_all_of_it():
    assert json.loads(journal_stats_json(FIGURES)) == {
        "since": None,
        "cost": list(FIGURES.cost),
        "latency": list(FIGURES.latency),
        "providers": list(FIGURES.providers),
        "runs": list(FIGURES.runs),
        "kinds": list(FIGURES.kinds),
    }
