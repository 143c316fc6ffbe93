"""What lists and previews show of the pool."""

from ai3ray.domain.lease import Lease


def test_a_passed_through_model_is_leased_when_named_and_only_then(world):
    here = world({"a": 3})
    lease = here.take(models=("a/brand-new",))
    assert lease.model == "a/brand-new"
    assert [c.model for c in here.take().candidates] == ["a/m1"]
    assert "a/brand-new" in [view.model for view in here.pool.views()]


def test_a_passed_through_model_is_no_candidate_under_a_budget(world):
    refusal = world({"a": 3}).lease(models=("a/brand-new",), budget_usd=1.0)
    assert refusal.error.message == "no model is left: unknown price under a budget: a/brand-new"


def test_views_show_live_figures_and_who_is_configured(world):
    here = world({"a": 3, "b": 3})
    here.succeed(here.take(), seconds=2.0, cost=0.5)
    here.fail(here.take(), "malformed_reply")
    seen, unseen = here.pool.views()
    assert (seen.model, seen.calls, seen.success, seen.p50_s, seen.cost_usd) == ("a/m1", 2, 0.5, 2.0, 0.5)
    assert (seen.input_usd_per_mtok, seen.output_usd_per_mtok, seen.state) == (1.0, 2.0, "ready")
    assert (unseen.calls, unseen.success, unseen.p50_s, unseen.cost_usd) == (0, None, None, None)


def test_the_snapshot_counts_permits_and_who_waits_for_whom(world):
    here = world({"a": 1, "b": 1})
    here.take()
    here.take()
    here.lease(models=("b/m1",))
    here.lease()
    snapshot = here.pool.snapshot()
    assert snapshot.waiting == 2
    assert [(p.provider, p.in_flight, p.limit, p.waiting) for p in snapshot.providers] == [
        ("a", 1, 1, 1),
        ("b", 1, 1, 2),
    ]
    assert snapshot.providers[0].state == "busy with 1 of 1 calls"


def test_a_preview_routes_as_if_nobody_were_busy_and_takes_nothing(world):
    here = world({"a": 1, "b": 1})
    here.take()
    assert here.pool.preview(here.request())[0].model == "a/m1"
    assert isinstance(here.lease(), Lease)


def test_warm_start_takes_rows_of_model_stats(world):
    here = world({"a": 1, "b": 1})
    bad = {"model": "a/m1", "calls": 50, "successes": 0, "failures": 50, "p50_s": None, "cost_usd": 0.0}
    good = {"model": "b/m1", "calls": 50, "successes": 40, "failures": 10, "p50_s": 3.0, "cost_usd": 1.5}
    idle = {"model": "a/m1", "calls": 1, "successes": 0, "failures": 0, "p50_s": None, "cost_usd": 0.0}
    here.pool.warm_start([bad, good, idle])
    assert here.take().model == "b/m1"
    view = here.pool.views()[1]
    assert (view.calls, view.success, view.p50_s, view.cost_usd) == (50, 0.8, 3.0, 1.5)
