"""What replies tell of the limits per minute, and what a 429 does to one class of models."""

import pytest

from ai3ray.domain.call import RateHeaders, RateWindow, Usage
from ai3ray.domain.lease import Lease, LeaseRequest, Settlement
from ai3ray.pool.account.charge import Charge, admission_of, final_charge, initial_charge
from ai3ray.pool.account.rate_class import JITTER, RAMP_S, RateClass, rate_class_of
from ai3ray.pool.account.rate_limits import RateLimits
from ai3ray.registry.cards import ModelCard
from ai3ray.settings.model import ProviderSettings

REQUEST = LeaseRequest(request_id="w", run_id="r", input_tokens=300)


def told(remaining: int, limit: int = 600, reset_s: float | None = None, what: str = "requests") -> RateHeaders:
    return RateHeaders(**{what: RateWindow(limit=limit, remaining=remaining, reset_s=reset_s)})


def end(pool, lease: Lease, rate: RateHeaders | None = None, usage: Usage | None = None):
    return pool.pool.settle(
        Settlement(
            attempt_id=lease.attempt_id, token=lease.token, status="succeeded", rate=rate, usage=usage, seconds=1.0
        )
    )


def grants_within(pool, seconds: float, requests: int) -> int:
    for _ in range(requests):
        pool.lease()
    return sum(isinstance(answer, Lease) for answer in pool.wait(seconds))


# ── what replies tell ────────────────────────────────────────────────────────────────────────────


def test_a_limit_that_nobody_configured_is_learned_from_a_reply(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    end(pool, pool.take(), told(60, limit=600))
    assert pool.lease() is None
    assert grants_within(pool, 59.95, requests=1000) == 599  # ten a second


def test_what_is_left_is_the_least_of_what_was_told_and_what_was_counted(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    end(pool, pool.take(), told(600))
    end(pool, pool.take(), told(100))
    assert sum(isinstance(pool.lease(), Lease) for _ in range(100)) == 40  # of the hundred, sixty are the reserve


def test_a_limit_per_day_is_not_taken_for_one_per_minute(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    end(pool, pool.take(), told(900, limit=14_400, reset_s=80_000.0))
    assert sum(isinstance(pool.lease(), Lease) for _ in range(900)) == 900


def test_a_lowered_and_a_raised_limit_are_followed(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    end(pool, pool.take(), told(0, limit=600))
    pool.wait(60)  # the bucket is out of debt
    lease = pool.take()
    end(pool, lease, told(0, limit=60))
    slow = grants_within(pool, 60, requests=200)
    lease = pool.pool.leases()[-1]
    end(pool, lease, told(0, limit=600))
    fast = sum(isinstance(answer, Lease) for answer in pool.wait(12))
    assert slow <= 60
    assert fast >= 60


def test_a_reply_to_an_older_call_is_old_news(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    old = pool.take()
    pool.now += 1.0
    end(pool, pool.take(), told(600))
    end(pool, old, told(0))
    assert isinstance(pool.lease(), Lease)


def test_a_failed_call_tells_its_limits_too(world):
    pool = world({"a": 1000}, rates={"start": 1000})
    lease = pool.take()
    failed = Settlement(attempt_id=lease.attempt_id, token=lease.token, status="cancelled", rate=told(0))
    pool.pool.settle(failed)
    assert pool.lease() is None


def test_a_configured_rate_holds_whatever_the_provider_allows(world):
    pool = world({"a": 1000}, rates={"start": 1000, "rpm": 60})
    end(pool, pool.take(), told(5999, limit=6000))
    assert grants_within(pool, 9.9, requests=100) == 9


@pytest.mark.parametrize(("remaining", "goes"), [(5500, True), (4900, False)])
def test_enough_is_left_for_one_more_call_like_the_last(world, remaining, goes):
    pool = world({"a": 1000}, rates={"start": 1000, "admission": "real"})
    big = {"input_tokens": 5000}
    end(pool, pool.take(**big), told(20_000, limit=20_000, what="input_tokens"), Usage(**big))
    end(pool, pool.take(**big), told(remaining, limit=20_000, what="input_tokens"), Usage(**big))
    assert isinstance(pool.lease(**big), Lease) == goes


def test_where_bursts_are_refused_the_reserve_is_a_part_of_what_fits_into_the_bucket(world):
    """A vendor that holds 600 per minute by the second tells ten at the most: they are not taken for a tenth."""
    pool = world({"a": 1000}, rates={"start": 1000})
    end(pool, pool.take(), told(10, limit=600, reset_s=0.0))
    assert sum(isinstance(pool.lease(), Lease) for _ in range(20)) == 7


def test_anthropics_tightest_limit_is_not_taken_for_one_of_its_own(world):
    """`tokens` shows the output limit here: input must not be held to it."""
    pool = world({"a": 1000}, rates={"start": 1000, "admission": "real"})
    rate = RateHeaders(
        tokens=RateWindow(limit=1000, remaining=1000),
        input_tokens=RateWindow(limit=1_000_000, remaining=1_000_000),
        output_tokens=RateWindow(limit=1000, remaining=1000),
    )
    end(pool, pool.take(input_tokens=900), rate, Usage(input_tokens=900, output_tokens=1))
    leases = [pool.take(input_tokens=900, max_output_tokens=1) for _ in range(5)]
    assert len(leases) == 5


def test_one_bucket_that_is_shown_thrice_is_one(world):
    pool = world({"a": 1000}, rates={"start": 1000, "admission": "real"})
    window = RateWindow(limit=60_000, remaining=7000)
    rate = RateHeaders(tokens=window, input_tokens=window, output_tokens=window)
    end(pool, pool.take(), rate, Usage(input_tokens=1, output_tokens=500))
    sizes = {"input_tokens": 600, "max_output_tokens": 600}
    assert sum(isinstance(pool.lease(**sizes), Lease) for _ in range(5)) == 1


# ── how calls are counted ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "table", "admission"),
    [
        ("anthropic", {"wire": "anthropic"}, "real"),
        ("openai", {}, "reserved"),
        ("xai", {}, "paced"),
        ("lab", {}, "reserved"),
        ("lab", {"admission": "real"}, "real"),
        ("local", {"wire": "local"}, "real"),
    ],
)
def test_a_provider_counts_as_its_vendor_or_as_it_is_told_to(name, table, admission):
    assert admission_of(name, ProviderSettings(**table)) == admission


def test_anthropic_counts_uncached_input_and_real_output_not_the_cap():
    charge = initial_charge("real", REQUEST, cap=4096, usual_output=200)
    assert charge == (500, 300, 200)
    assert final_charge("real", charge, Usage(input_tokens=320, cached_tokens=20, output_tokens=90)) == (390, 300, 90)
    assert final_charge("real", charge, Usage()) == (0, 0, 0)
    assert final_charge("real", charge, None) == charge


def test_openai_reserves_the_larger_of_cap_and_estimate_for_good():
    charge = initial_charge("reserved", REQUEST, cap=4096, usual_output=200)
    assert charge.tokens == 4096
    assert initial_charge("reserved", REQUEST, cap=100, usual_output=200).tokens == 300
    assert final_charge("reserved", charge, Usage(input_tokens=320, output_tokens=90)).tokens == 4096
    assert final_charge("reserved", charge, Usage()).tokens == 4096


def test_xai_counts_all_tokens_cached_or_not():
    charge = initial_charge("paced", REQUEST, cap=4096, usual_output=200)
    assert final_charge("paced", charge, Usage(input_tokens=320, cached_tokens=300, output_tokens=90)).tokens == 410


def test_xai_is_never_sent_more_in_a_second_than_a_sixtieth_of_its_minute(world):
    pool = world({"a": 1000}, rates={"start": 1000, "admission": "paced"})
    end(pool, pool.take(), told(10, limit=600))
    sent = [pool.now for _ in range(500) if isinstance(pool.lease(), Lease)]
    while pool.now < 1020.0:
        sent += [pool.now for answer in pool.wait(0.01) if isinstance(answer, Lease)]
    assert all(sum(start <= at < start + 1.0 for at in sent) <= 10 for start in sent)
    assert len(sent) >= 0.98 * 10 * 20


def test_refusals_teach_caution_and_answers_take_it_away():
    """Calls arrive less evenly than they are sent: how much less is found out."""
    rate_limits, seconds = RateLimits("paced"), []
    for refusals, answers in ((1, 1), (1, 1), (1, 1), (9, 1), (0, 5000)):
        for _ in range(refusals):
            rate_limits.be_cautious()
        for _ in range(answers):
            rate_limits.observe(told(10, limit=600), 0.0)
        for _ in range(10):
            rate_limits.reserve(Charge(0, 0, 0), 0.0)
        seconds.append(round(rate_limits.resumes_at(0.0), 2))
    assert seconds == [1.01, 1.02, 1.04, 1.08, 1.01]


def test_expected_output_is_what_answers_have_had_lately(world):
    pool = world({"a": 1000}, rates={"start": 1000, "admission": "real", "otpm": 60_000})
    for _ in range(60):
        end(pool, pool.take(), usage=Usage(input_tokens=1, output_tokens=2000))
        pool.now += 10
    assert isinstance(pool.lease(), Lease)
    assert pool.lease() is None
    assert pool.pool.next_expiry() == pytest.approx(1.5, abs=0.01)  # of 500 in the bucket 2,000 are expected to go


# ── classes of models ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wire", "model", "own", "rate_class"),
    [
        ("anthropic", "claude-opus-5-5", None, "opus"),
        ("anthropic", "claude-opus-4-8", None, "opus"),
        ("anthropic", "claude-3-7-sonnet-latest", None, "sonnet"),
        ("anthropic", "claude-opus-5-5", "fast", "fast"),
        ("anthropic", "4711", None, "4711"),
        ("openai", "gpt-6.1-sol", None, ""),
        ("openai", "gpt-6.1-sol", "sol", "sol"),
    ],
)
def test_the_class_of_a_model(wire, model, own, rate_class):
    card = ModelCard(provider="p", id=model, limit_class=own)
    assert rate_class_of(card, ProviderSettings(wire=wire)) == rate_class


def test_a_429_pauses_its_class_and_no_other(world):
    pool = world({"a": 100}, models=2, rates={"wire": "anthropic"})
    pool.fail(pool.take(models=("a/m1",)), "rate_limited", retry_after_s=7.0)
    assert pool.lease(models=("a/m1",)) is None
    assert pool.take(models=("a/m2",)).model == "a/m2"


def test_a_class_is_paused_with_all_its_models_also_those_that_were_never_called(world):
    pool = world({"a": 100, "b": 100}, models=2, rates={"wire": "anthropic"}, limit_class="big")
    pool.fail(pool.take(models=("a/m1",)), "rate_limited", retry_after_s=7.0)
    assert pool.take().model == "b/m1"
    assert pool.lease(models=("a/m2",)) is None


# ── after a 429 ──────────────────────────────────────────────────────────────────────────────────


def test_after_a_pause_capacity_returns_little_by_little(world):
    pool = world({"a": 20})
    leases = [pool.take() for _ in range(20)]
    pool.fail(leases[0], "rate_limited", retry_after_s=5.0)
    for lease in leases[1:]:
        pool.succeed(lease)
    for _ in range(40):
        pool.lease()
    assert pool.wait(4.99) == []
    after = [sum(isinstance(answer, Lease) for answer in pool.wait(RAMP_S / 4)) for _ in range(4)]
    assert after == [4, 4, 4, 4]  # sixteen permits are what the 429 has left of twenty


def test_a_pause_is_longer_by_chance_but_not_by_much():
    for chance in (0.0, 0.5, 1.0):
        rate_class = RateClass("real", jitter=lambda chance=chance: chance)
        rate_class.pause(10.0, 9.0, 5.0, permits=10)
        assert rate_class.pause_reason(10.0 + 5.0 * (1 + JITTER * chance) - 0.001)
        assert not rate_class.pause_reason(10.0 + 5.0 * (1 + JITTER * chance) + 0.001)


def test_a_success_of_a_call_that_began_before_the_pause_does_not_make_the_next_one_small():
    rate_class = RateClass("real", jitter=float)
    for at in (0.0, 100.0, 200.0):
        rate_class.pause(at, at - 0.5, None, permits=10)
        rate_class.succeeded(None, began=at - 1.0)
    assert rate_class.pause_reason(203.9)
    rate_class.succeeded(None, began=201.0)
    rate_class.pause(300.0, 299.0, None, permits=10)
    assert rate_class.pause_reason(301.1) is None


def test_the_snapshot_shows_the_limit_of_the_moment_and_the_configured_one(world):
    pool = world({"a": 100})
    view = pool.pool.snapshot().providers[0]
    assert (view.limit, view.ceiling) == (20, 100)
    pool.fail(pool.take(), "rate_limited", retry_after_s=7.0)
    view = pool.pool.snapshot().providers[0]
    assert (view.limit, view.state) == (16, "rate limited, paused for 7.0 s")
