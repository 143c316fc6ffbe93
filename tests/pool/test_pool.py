"""Who gets a permit, who waits, and who goes first."""

from ai3ray.domain.lease import Lease, Settlement
from ai3ray.pool.pool import LEASE_S


def test_a_lease_names_the_best_model_and_shows_the_decision(world):
    here = world({"a": 1, "b": 1})
    lease = here.take(kind="coding")
    assert (lease.provider, lease.model) == ("a", "a/m1")
    assert [candidate.model for candidate in lease.candidates] == ["a/m1", "b/m1"]
    assert lease.candidates[0].excluded is None
    assert lease.expires_s == LEASE_S


def test_a_busy_provider_is_passed_over_with_the_reason_and_the_chosen_one_stands_first(world):
    here = world({"a": 1, "b": 1})
    here.take()
    lease = here.take()
    assert lease.model == "b/m1"
    assert [(c.model, c.excluded) for c in lease.candidates] == [("b/m1", None), ("a/m1", "busy with 1 of 1 calls")]


def test_a_request_waits_only_while_nobody_can_serve_it(world):
    here = world({"a": 1, "b": 1})
    first, _ = here.take(), here.take()
    request = here.request()
    assert here.pool.lease(request) is None
    (grant,) = here.succeed(first).grants
    assert (grant.request_id, grant.model) == (request.request_id, "a/m1")


def test_a_run_has_no_more_calls_in_flight_than_it_may(world):
    here = world({"a": 10})
    leases = [here.take("r1", run_limit=2) for _ in range(2)]
    assert here.lease("r1", run_limit=2) is None
    assert isinstance(here.lease("r2", run_limit=2), Lease)
    (grant,) = here.succeed(leases[0]).grants
    assert grant.run_id == "r1"


def test_a_run_at_its_limit_does_not_hold_up_the_others(world):
    here = world({"a": 2})
    mine, other = here.take("r1", run_limit=1), here.take("r2")
    assert here.lease("r1", run_limit=1) is None
    assert here.lease("r3") is None
    (grant,) = here.succeed(other).grants
    assert grant.run_id == "r3"
    (grant,) = here.succeed(mine).grants
    assert grant.run_id == "r1"


def test_runs_are_served_in_turn_and_each_in_its_own_order(world):
    here = world({"a": 1})
    lease = here.take("r0")
    requests = [here.request(run) for run in ("r1", "r1", "r1", "r2", "r2", "r3")]
    assert [here.pool.lease(request) for request in requests] == [None] * 6
    served = []
    for _ in requests:
        (lease,) = here.succeed(lease).grants
        served.append((lease.run_id, lease.request_id))
    ids = [request.request_id for request in requests]
    assert served == [
        ("r1", ids[0]),
        ("r2", ids[3]),
        ("r3", ids[5]),
        ("r1", ids[1]),
        ("r2", ids[4]),
        ("r1", ids[2]),
    ]


def test_interactive_goes_before_batch(world):
    here = world({"a": 1})
    lease = here.take("r0")
    for run in ("b1", "b2"):
        assert here.lease(run, run_class="batch") is None
    for run in ("i1", "i2"):
        assert here.lease(run) is None
    order = []
    for _ in range(4):
        (lease,) = here.succeed(lease).grants
        order.append(lease.run_id)
    assert order == ["i1", "i2", "b1", "b2"]


def test_a_request_that_can_be_served_is_not_held_up_by_one_that_cannot(world):
    here = world({"a": 1, "b": 1})
    here.take(models=("a/m1",))
    lease = here.take(models=("b/m1",))
    assert here.lease("r2", models=("a/m1",)) is None
    assert here.lease("r2", models=("b/m1",)) is None
    (grant,) = here.succeed(lease).grants
    assert grant.model == "b/m1"


def test_a_withdrawn_request_gets_nothing_and_its_place_goes_to_the_next(world):
    here = world({"a": 1})
    lease = here.take()
    gone, stays = here.request(), here.request()
    assert here.pool.lease(gone) is None
    assert here.pool.lease(stays) is None
    assert here.pool.withdraw([gone.request_id, "never heard of"]) == ()
    assert [grant.request_id for grant in here.succeed(lease).grants] == [stays.request_id]


def test_a_dropped_run_waits_no_longer_but_its_leases_count_until_settled(world):
    here = world({"a": 1})
    lease = here.take("r1")
    assert here.lease("r1") is None
    assert here.lease("r2") is None
    here.pool.drop_run("r1")
    assert here.pool.snapshot().providers[0].in_flight == 1
    assert [grant.run_id for grant in here.succeed(lease).grants] == ["r2"]


def test_an_old_token_or_an_unknown_lease_is_refused_and_changes_nothing(world):
    here = world({"a": 1})
    lease = here.take()
    forged = Settlement(attempt_id=lease.attempt_id, token=lease.token + 1, status="succeeded")
    unknown = Settlement(attempt_id="att_99", token=1, status="succeeded")
    assert not here.pool.settle(forged).accepted
    assert not here.pool.settle(unknown).accepted
    assert here.pool.snapshot().providers[0].in_flight == 1
    assert here.succeed(lease).accepted
    assert not here.succeed(lease).accepted
    assert here.pool.snapshot().providers[0].in_flight == 0


def test_a_lease_that_runs_out_gives_its_permit_to_the_next_and_fences_off_the_late_result(world):
    here = world({"a": 1})
    lost = here.take()
    request = here.request()
    assert here.pool.lease(request) is None
    assert here.pool.next_expiry() == LEASE_S
    here.now += LEASE_S
    expired, settled = here.pool.expire()
    assert expired == (lost.attempt_id,)
    assert [grant.request_id for grant in settled.grants] == [request.request_id]
    assert not here.succeed(lost).accepted
    assert here.pool.leases() == settled.grants


def test_nothing_expires_before_its_time(world):
    here = world({"a": 1})
    assert here.pool.next_expiry() is None
    here.take()
    here.now += LEASE_S - 0.001
    assert here.pool.expire()[0] == ()


def test_tokens_only_grow(world):
    here = world({"a": 9})
    tokens = [here.take().token for _ in range(9)]
    assert tokens == sorted(set(tokens))


def test_raised_limits_serve_who_waits_and_lowered_ones_let_calls_end(world):
    here = world({"a": 1})
    here.take()
    assert here.lease() is None
    more = here.settings.providers["a"].model_copy(update={"max_concurrency": 2})
    (grant,) = here.pool.set_limits(here.settings.model_copy(update={"providers": {"a": more}}))
    assert isinstance(grant, Lease)
    assert here.pool.set_limits(here.settings) == ()
    assert here.lease() is None
    assert here.succeed(grant).grants == ()


def test_within_a_run_a_judge_goes_before_the_first_call_of_another_task(world):
    pool = world({"a": 1})
    held = pool.take()
    first, judge = pool.request(role="task"), pool.request(role="judge")
    assert pool.pool.lease(first) is None
    assert pool.pool.lease(judge) is None
    (granted,) = pool.succeed(held).grants
    assert granted.request_id == judge.request_id
    (granted,) = pool.succeed(granted).grants
    assert granted.request_id == first.request_id
