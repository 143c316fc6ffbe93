"""What each failure does to the model, the provider and those who wait."""

import pytest

import ai3ray.errors as errors
from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.lease import Lease, Refusal
from ai3ray.pool.account.account import TRIP_AFTER
from ai3ray.pool.faults import FAULTS, fault_policy


def test_the_table_has_a_rule_for_every_provider_error():
    kinds = {kind.type for kind in errors.ProviderError.__subclasses__()}
    assert kinds == FAULTS.keys()
    assert fault_policy("runner_lost").breaker == "none"
    assert not fault_policy("internal").counts_against_model


def test_a_rate_limit_sends_everybody_elsewhere_at_once(world):
    here = world({"a": 3, "b": 3})
    here.fail(here.take(), "rate_limited", retry_after_s=7.0)
    lease = here.take()
    assert lease.model == "b/m1"
    assert lease.candidates[-1].excluded == "rate limited, paused for 7.0 s"


def test_a_rate_limit_on_the_last_provider_is_waited_out(world):
    here = world({"a": 3})
    here.fail(here.take(), "rate_limited", retry_after_s=7.0)
    assert here.lease() is None
    assert here.pool.next_expiry() == pytest.approx(7.0)
    assert here.wait(6.99) == []
    (grant,) = here.wait(0.02)
    assert isinstance(grant, Lease)


def test_without_retry_after_the_pause_grows_and_a_success_makes_it_small_again(world):
    here = world({"a": 3})
    pauses = []
    for _ in range(7):
        here.fail(here.take(), "rate_limited")
        here.lease()
        pauses.append(here.pool.next_expiry())
        (lease,) = here.wait(31)
        here.succeed(lease) if len(pauses) == 6 else here.pool.settle(_cancelled(lease))
        here.now += 1
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 1.0]


def _cancelled(lease: Lease):
    from ai3ray.domain.lease import Settlement

    return Settlement(attempt_id=lease.attempt_id, token=lease.token, status="cancelled")


def test_calls_that_meet_one_rate_limit_together_are_one_episode(world):
    here = world({"a": 5})
    together = [here.take() for _ in range(5)]
    here.now += 1
    for lease in together:
        here.fail(lease, "rate_limited")
    here.lease()
    assert here.pool.next_expiry() == pytest.approx(1.0)


def test_a_rate_limit_says_nothing_about_the_model(world):
    here = world({"a": 5})
    for _ in range(5):
        here.fail(here.take(), "rate_limited", retry_after_s=0.0)
        here.now += 1
    assert here.pool.views()[0].success is None


def test_twenty_failures_put_another_model_first(world):
    here = world({"a": 5, "b": 5})
    assert here.take().model == "a/m1"
    for _ in range(20):
        here.fail(here.take(models=("a/m1",)), "malformed_reply")
        here.now += 10
    lease = here.take()
    assert lease.model == "b/m1"
    terms = {candidate.model: candidate.terms["success"] for candidate in lease.candidates}
    assert terms["a/m1"] < 0.3 < terms["b/m1"]


def test_a_failed_model_is_paused_for_a_moment_not_its_provider(world):
    here = world({"a": 5}, models=2)
    here.fail(here.take(), "server_fault")
    assert here.lease(models=("a/m1",)) is None
    assert here.take(models=("a/m2",)).model == "a/m2"
    (grant,) = here.wait(0.25)
    assert grant.model == "a/m1"


def test_outages_open_the_breaker_and_one_probe_closes_it(world):
    here = world({"a": 9, "b": 9})
    for _ in range(TRIP_AFTER):
        here.fail(here.take(models=("a/m1",)), "connect_failed")
        here.now += 10
    here.now -= 10
    assert here.take().candidates[-1].excluded.startswith("failing, paused for 5.0 s")
    here.now += 9
    probe = here.take(models=("a/m1",))
    assert here.take().candidates[-1].excluded == "one call is probing whether it works again"
    here.succeed(probe)
    assert here.pool.snapshot().providers[0].in_flight == 0
    assert here.take(models=("a/m1",)).model == "a/m1"
    assert here.take(models=("a/m1",)).model == "a/m1"


def test_a_failed_probe_opens_the_breaker_for_longer(world):
    here = world({"a": 9})
    for _ in range(TRIP_AFTER):
        here.fail(here.take(), "overloaded")
        here.now += 10
    for pause in (10.0, 20.0, 40.0, 60.0, 60.0):
        here.now += 61
        here.fail(here.take(), "overloaded")
        here.lease()
        assert here.pool.next_expiry() <= pause
        assert "failing" in here.pool.snapshot().providers[0].state
        here.now += pause - 0.1
        assert "failing" in here.pool.snapshot().providers[0].state
        here.pool.withdraw([f"w{n}" for n in range(100)])


def test_while_the_last_provider_fails_requests_wait_for_the_probe(world):
    here = world({"a": 9})
    for _ in range(TRIP_AFTER):
        here.now += 10
        here.fail(here.take(), "connect_failed")
    assert here.lease() is None
    assert here.lease() is None
    (probe,) = here.wait(60)
    (rest,) = here.succeed(probe).grants
    assert isinstance(rest, Lease)


def test_a_cancelled_probe_lets_another_call_try(world):
    here = world({"a": 9})
    for _ in range(TRIP_AFTER):
        here.fail(here.take(), "connect_failed")
        here.now += 10
    probe = here.take()
    assert here.lease() is None
    (next_probe,) = here.pool.settle(_cancelled(probe)).grants
    assert isinstance(next_probe, Lease)


@pytest.mark.parametrize("kind", ["key_refused", "quota_spent"])
def test_a_spent_quota_or_a_refused_key_takes_the_provider_out_with_a_warning(world, kind):
    here = world({"a": 3, "b": 3})
    settled = here.fail(here.take(), kind, "credit balance too low")
    (warning,) = settled.warnings
    assert warning.code == "provider_out"
    assert warning.message == "a is out: credit balance too low (request req_7); check A_KEY"
    here.now += 1e6
    lease = here.take()
    assert lease.model == "b/m1"
    assert lease.candidates[-1].excluded == "out: credit balance too low"
    assert here.pool.views()[0].state == "out: credit balance too low"


def test_each_run_is_warned_once_of_each_provider(world):
    here = world({"a": 9})
    leases = [here.take(run) for run in ("r1", "r1", "r2")]
    assert [len(here.fail(lease, "key_refused").warnings) for lease in leases] == [1, 0, 1]


def test_without_another_provider_the_refusal_carries_the_providers_words(world):
    here = world({"a": 1})
    lease = here.take()
    waiting = here.request()
    assert here.pool.lease(waiting) is None
    (refusal,) = here.fail(lease, "quota_spent", "pay first").grants
    expected = ErrorInfo(type="quota_spent", message="pay first", provider="a", model="a/m1", request_id="req_7")
    assert refusal == Refusal(request_id=waiting.request_id, run_id="r1", error=expected)
    assert here.lease() == Refusal(request_id="w3", run_id="r1", error=expected)


def test_a_new_run_has_the_provider_tried_once_more(world):
    here = world({"a": 3})
    here.fail(here.take("r1"), "quota_spent")
    assert isinstance(here.lease("r1"), Refusal)
    probe = here.take("r2")
    assert here.lease("r2") is None
    (waiting,) = here.succeed(probe).grants
    assert waiting.run_id == "r2"
    assert here.take("r1").model == "a/m1"


def test_who_waits_for_another_provider_may_use_the_one_that_is_tried_again(world):
    here = world({"a": 1, "b": 1})
    here.fail(here.take("r1"), "quota_spent")
    busy = here.take("r1")
    old, new = here.request("r1"), here.request("r2")
    assert here.pool.lease(old) is None
    assert here.pool.lease(new) is None
    assert here.pool.next_expiry() == 0.0
    (probe,) = here.pool.expire()[1].grants
    assert (probe.request_id, probe.model) == (old.request_id, "a/m1")
    (grant,) = here.succeed(probe).grants
    assert (grant.request_id, grant.model) == (new.request_id, "a/m1")
    assert busy.model == "b/m1"


def test_who_waits_may_use_a_provider_that_came_back(world):
    here = world({"a": 2, "b": 1})
    here.fail(here.take("r1"), "quota_spent")
    probe = here.take("r2")
    busy = here.take("r1", models=("b/m1",))
    waiting = here.request("r1")
    assert here.pool.lease(waiting) is None
    (grant,) = here.succeed(probe).grants
    assert (grant.request_id, grant.model) == (waiting.request_id, "a/m1")
    assert busy.model == "b/m1"


def test_when_that_try_fails_too_those_who_waited_for_it_are_refused(world):
    here = world({"a": 3})
    here.fail(here.take("r1"), "key_refused")
    probe = here.take("r2")
    assert here.lease("r2") is None
    settled = here.fail(probe, "key_refused")
    assert [type(answer) for answer in settled.grants] == [Refusal]
    assert len(settled.warnings) == 1
    assert isinstance(here.lease("r2"), Refusal)


def test_a_late_success_of_an_earlier_call_does_not_bring_a_provider_back(world):
    here = world({"a": 3})
    early, failing = here.take(), here.take()
    here.fail(failing, "quota_spent")
    here.succeed(early)
    assert isinstance(here.lease(), Refusal)


def test_a_refusal_lists_every_model_with_its_reason_in_one_line(world):
    here = world({"a": 1, "b": 1}, structured=False)
    refusal = here.lease(structured=True, exclude=("a/m1",))
    assert refusal.error.type == "no_model_left"
    assert refusal.error.message == "no model is left: already tried: a/m1; no structured output: b/m1"


def test_a_refusal_under_an_allowlist_speaks_of_those_models_only(world):
    here = world({"a": 1, "b": 1})
    refusal = here.lease(models=("a/m1", "z/other"), exclude=("a/m1",))
    assert refusal.error.message == "no model is left: already tried: a/m1; its provider is not configured: z/other"


def test_without_any_provider_the_refusal_says_so(world):
    assert world({}).lease().error.message == "no model is left: no provider is configured"


def test_a_provider_that_is_out_is_not_blamed_where_it_was_not_wanted(world):
    here = world({"a": 1, "b": 1})
    here.fail(here.take(), "quota_spent", "pay first")
    refusal = here.lease(models=("b/m1",), exclude=("b/m1",))
    assert refusal.error.type == "no_model_left"
