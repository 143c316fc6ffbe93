"""The telemetry views tell what the journal's rows add up to."""

from __future__ import annotations

import pytest

from ai3ray.domain.events import TaskVerified
from ai3ray.domain.verdict import Defect, Verdict
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import attempt, whole_run


@pytest.fixture
async def busy(disk: DuckDBJournal) -> DuckDBJournal:
    """One finished run of two tasks, with a repair, a judge, a failure, a call in flight and an unknown price."""
    failed = Verdict(passed=False, score=0.3, defects=(Defect(part="answer", problem="short"),), by="acme/judge")
    for step in whole_run("r"):
        disk.put("r", step.events, step.attempts)
        if any(event.type == "task_start" for event in step.events):
            disk.put("r", [TaskVerified(task_id=step.events[0].task_id, verdict=failed)])
    calls = [
        attempt("r", "a", "repair", role="repair", seconds=2.5),
        attempt("r", "a", "judge", role="judge", model="acme/judge", cost_usd=0.01),
        attempt("r", "b", "fail", "failed", error_type="rate_limited"),
        attempt("r", "b", "open", "started"),
        attempt("r", None, "free", provider="other", model="other/x", cost_usd=None, started_at="2026-11-23T00:00:00Z"),
    ]
    await disk.put("r", attempts=calls).committed()
    return disk


async def one(journal: DuckDBJournal, sql: str) -> dict[str, object]:
    table = await journal.query(sql)
    assert len(table.rows) == 1
    return dict(zip(table.columns, table.rows[0], strict=True))


async def test_model_stats_count_calls_and_their_ends(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM model_stats WHERE model = 'acme/large'")
    assert (row["provider"], row["calls"], row["successes"], row["failures"], row["running"]) == ("acme", 5, 3, 1, 1)
    assert row["success_rate"] == 0.75
    assert (row["p50_s"], row["repairs"]) == (1.5, 1)
    assert (row["input_tokens"], row["output_tokens"]) == (300, 60)
    assert (row["cost_usd"], row["cost_complete"]) == (0.75, True)
    assert row["cost_per_1k_tokens"] == pytest.approx(0.75 / 0.36)


async def test_an_unknown_price_is_not_zero(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM model_stats WHERE model = 'other/x'")
    assert (row["cost_usd"], row["cost_complete"], row["cost_per_1k_tokens"]) == (0.0, False, None)


async def test_models_are_told_apart_by_kind_of_work(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM model_kind_stats WHERE model = 'acme/large'")
    assert (row["kind"], row["calls"], row["successes"]) == ("writing", 5, 3)


async def test_provider_stats_sum_their_models(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM provider_stats WHERE provider = 'acme'")
    assert (row["models"], row["calls"], row["rate_limited"]) == (2, 6, 1)
    assert row["cost_usd"] == pytest.approx(0.76)


async def test_run_summary_is_one_row_per_run(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM run_summary")
    assert (row["run_id"], row["tasks"], row["tasks_succeeded"], row["tasks_failed"]) == ("r", 2, 2, 0)
    assert (row["calls"], row["repairs"], row["judgements"], row["models"]) == (7, 1, 1, 3)
    assert (row["cost_usd"], row["cost_complete"]) == (pytest.approx(0.76), False)


async def test_cost_by_day_is_one_row_per_day(busy: DuckDBJournal) -> None:
    table = await busy.query("SELECT day, calls, round(cost_usd, 6), cost_complete FROM cost_by_day")
    assert table.rows == (("2026-11-22", 6, 0.76, True), ("2026-11-23", 1, 0.0, False))


async def test_verifier_stats_count_what_judges_said(busy: DuckDBJournal) -> None:
    row = await one(busy, "SELECT * FROM verifier_stats")
    assert (row["verifier"], row["checks"], row["passed"], row["failed"]) == ("acme/judge", 4, 2, 2)
    assert (row["pass_rate"], row["mean_score"], row["defects"]) == (0.5, pytest.approx(0.6), 2)
    assert (row["calls"], row["cost_usd"]) == (1, 0.01)
