"""Each vendor's own accounting, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai3ray.simulator import Limits, Ramp
from ai3ray.simulator.limits.vendor_limits import AdmittedCall, TokensSpent, VendorLimits

VENDORS = ("anthropic", "openai", "xai")


def admitted(limits, now, *calls):
    """Which limit each call runs into; None for those let in."""
    refusals = [limits.admit(now, call) for call in calls]
    return [refused and refused.bound for refused in refusals]


@pytest.mark.parametrize("vendor", ["anthropic", "openai"])
def test_requests_run_out_and_come_back(vendor):
    limits = VendorLimits(vendor, Limits(rpm=2))
    assert admitted(limits, 0.0, AdmittedCall(1), AdmittedCall(1), AdmittedCall(1)) == [None, None, "requests"]
    assert limits.admit(31.0, AdmittedCall(1)) is None


def test_a_refusal_tells_when_to_come_again():
    limits = VendorLimits("anthropic", Limits(rpm=2))
    admitted(limits, 0.0, AdmittedCall(1), AdmittedCall(1))
    refused = limits.admit(10.0, AdmittedCall(1))
    assert (refused.bound, refused.code, refused.retry_after) == ("requests", None, pytest.approx(20.0))
    assert limits.admit(10.0 + refused.retry_after, AdmittedCall(1)) is None


@pytest.mark.parametrize("vendor", VENDORS)
def test_concurrency(vendor):
    limits = VendorLimits(vendor, Limits(concurrency=2))
    first = AdmittedCall(1)
    assert admitted(limits, 0.0, first, AdmittedCall(1), AdmittedCall(1)) == [None, None, "concurrency"]
    limits.finish(0.0, first)
    assert limits.admit(0.5, AdmittedCall(1)) is None
    assert limits.in_flight == 2


def test_anthropic_counts_input_as_estimated_and_corrects_it():
    limits = VendorLimits("anthropic", Limits(itpm=600))
    call = AdmittedCall(500)
    assert admitted(limits, 0.0, call, AdmittedCall(101)) == [None, "input_tokens"]
    limits.finish(0.0, call, TokensSpent(200))
    assert admitted(limits, 0.0, AdmittedCall(400), AdmittedCall(1)) == [None, "input_tokens"]


def test_what_anthropic_reads_from_its_cache_is_free_of_the_limit():
    limits = VendorLimits("anthropic", Limits(itpm=600))
    call = AdmittedCall(100_000, cached_tokens=99_900)
    assert limits.admit(0.0, call) is None
    limits.finish(0.0, call, TokensSpent(100_000, cached_tokens=99_900))
    assert limits.admit(0.0, AdmittedCall(500)) is None
    assert limits.admit(0.0, AdmittedCall(1)).bound == "input_tokens"


def test_the_cap_does_not_matter_to_anthropic_but_what_is_written_does_when_it_is_written():
    limits = VendorLimits("anthropic", Limits(otpm=600))
    call = AdmittedCall(1, max_tokens=1_000_000)
    assert limits.admit(0.0, call) is None
    limits.record_output(0.0, call, 500)
    assert limits.admit(0.0, AdmittedCall(1)) is None
    limits.record_output(0.0, call, 200)
    refused = limits.admit(0.0, AdmittedCall(1))
    assert (refused.bound, refused.retry_after) == ("output_tokens", pytest.approx(10.1))
    limits.finish(0.0, call, TokensSpent(1, output_tokens=720))  # of which 700 were told
    assert limits.admit(0.0, AdmittedCall(1)).retry_after == pytest.approx(12.1)


def test_openai_charges_the_larger_of_cap_and_prompt_up_front_and_gives_nothing_back():
    limits = VendorLimits("openai", Limits(tpm=1000))
    call = AdmittedCall(100, max_tokens=700)
    assert admitted(limits, 0.0, call, AdmittedCall(301)) == [None, "tokens"]
    limits.finish(0.0, call, TokensSpent(100, output_tokens=5))
    assert admitted(limits, 0.0, AdmittedCall(300, max_tokens=10), AdmittedCall(1)) == [None, "tokens"]


def test_openai_counts_refused_requests():
    limits = VendorLimits("openai", Limits(rpm=60))
    admitted(limits, 0.0, *[AdmittedCall(1)] * 60)
    # Whoever tries again twice a second never sees the bucket reach one request.
    assert all(limits.admit(n / 2, AdmittedCall(1)) is not None for n in range(1, 100))
    assert limits.admit(51.0, AdmittedCall(1)) is None


def test_a_request_that_failed_for_another_reason_counts_with_openai_only():
    for vendor, then in (("openai", ["requests"]), ("anthropic", [None])):
        limits = VendorLimits(vendor, Limits(rpm=1))
        limits.record_refusal(0.0)
        assert admitted(limits, 0.0, AdmittedCall(1)) == then


def test_xai_counts_prompt_answer_and_reasoning():
    limits = VendorLimits("xai", Limits(tpm=1000))
    call = AdmittedCall(400, max_tokens=100_000)
    assert limits.admit(0.0, call) is None
    limits.finish(1.0, call, TokensSpent(400, output_tokens=600))
    assert limits.admit(1.0, AdmittedCall(100)).bound == "tokens"


def test_xai_lets_no_burst_through():
    limits = VendorLimits("xai", Limits(rpm=120))
    assert admitted(limits, 0.0, *[AdmittedCall(1)] * 3) == [None, None, "requests"]
    assert admitted(limits, 1.0, *[AdmittedCall(1)] * 3) == [None, None, "requests"]


@pytest.mark.parametrize(
    ("vendor", "code"), [("anthropic", "ramp_limit_exceeded"), ("openai", "slow_down"), ("xai", "Some resource has")]
)
def test_growth_that_is_too_fast_has_its_own_code_and_a_time_to_wait(vendor, code):
    limits = VendorLimits(vendor, Limits(rpm=60_000, ramp=Ramp(requests=60)))
    refusals = [limits.admit(n / 100, AdmittedCall(1)) for n in range(200)]
    (refused, *_) = [refusal for refusal in refusals if refusal]
    assert refused.bound == "ramp"
    assert refused.code.startswith(code)
    assert 0 < refused.retry_after <= 60
    assert 60 <= sum(refusal is None for refusal in refusals) <= 63


def test_growth_may_be_counted_in_input_tokens():
    limits = VendorLimits("openai", Limits(ramp=Ramp(tokens=1_000_000)))
    assert admitted(limits, 0.0, AdmittedCall(900_000), AdmittedCall(200_000)) == [None, "ramp"]


@pytest.mark.parametrize(
    ("vendor", "code"),
    [("anthropic", "enforced_spend_limit_reached"), ("openai", "organization_spend_limit_exceeded")],
)
def test_a_spend_cap_ends_all_calls_without_a_time_to_wait(vendor, code):
    limits = VendorLimits(vendor, Limits(spend_usd=0.5))
    call = AdmittedCall(1)
    assert limits.admit(0.0, call) is None
    limits.finish(0.0, call, TokensSpent(1, cost_usd=0.5))
    refused = limits.admit(1e9, AdmittedCall(1))
    assert (refused.bound, refused.code, refused.retry_after) == ("spend", code, None)


def test_a_quarter_of_the_allowance_and_back():
    limits = VendorLimits("anthropic", Limits(concurrency=8, rpm=600))
    calls = [AdmittedCall(1) for _ in range(4)]
    assert admitted(limits, 0.0, *calls) == [None] * 4
    limits.change(0.0, limits.limits.scaled(0.25))
    assert limits.admit(0.0, AdmittedCall(1)).bound == "concurrency"
    assert limits.headers(0.0)["anthropic-ratelimit-requests-limit"] == "150"
    for call in calls:
        limits.finish(0.0, call)
    limits.change(0.0, Limits(concurrency=8, rpm=600))
    assert limits.admit(0.0, AdmittedCall(1)) is None
    assert limits.headers(0.0)["anthropic-ratelimit-requests-limit"] == "600"
    assert int(limits.headers(0.0)["anthropic-ratelimit-requests-remaining"]) == 149  # what was taken stays taken


def test_limits_that_come_and_go():
    limits = VendorLimits("anthropic", Limits())
    limits.change(0.0, Limits(otpm=100, ramp=Ramp(requests=1)))
    assert admitted(limits, 0.0, AdmittedCall(1), AdmittedCall(1)) == [None, "ramp"]
    limits.change(0.0, Limits())
    assert limits.admit(0.0, AdmittedCall(1)) is None


def test_what_never_was_read_is_given_back():
    for vendor in ("anthropic", "xai"):
        limits = VendorLimits(vendor, Limits(tpm=100))
        call = AdmittedCall(100)
        assert limits.admit(0.0, call) is None
        limits.finish(0.0, call)
        assert limits.admit(1.1, AdmittedCall(100)) is None


def test_the_state_shows_what_is_left_and_who_was_refused():
    limits = VendorLimits("anthropic", Limits(rpm=1, itpm=100))
    admitted(limits, 0.0, AdmittedCall(10), AdmittedCall(10))
    state = limits.state(0.0)
    assert (state["in_flight"], state["refused"]) == (1, {"requests": 1})
    assert state["meters"]["input_tokens"] == {"per_minute": 100, "left": 90.0, "reset_s": 6.0}
    assert state["limits"]["rpm"] == 1


@given(
    st.sampled_from(VENDORS),
    st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(1, 300), st.integers(0, 300)), min_size=1, max_size=80),
)
def test_whoever_waits_as_told_is_let_in(vendor, steps):
    """With nobody else there, and the call itself unchanged, `retry_after` is long enough."""
    limits, now = VendorLimits(vendor, Limits(rpm=120, tpm=2000, concurrency=1)), 0.0
    for step, size, output in steps:
        now += step
        call = AdmittedCall(size, max_tokens=output)
        refused = limits.admit(now, call)
        if refused is not None:
            assert refused.retry_after > 0
            wait_s = refused.retry_after
            if vendor == "openai":
                wait_s += 0.5  # the refused request has taken what there was of the next one
            now += wait_s + 1e-6
            again = limits.admit(now, call)
            while again is not None and again.bound != refused.bound:  # another limit may be the later one
                now += again.retry_after + 0.5
                again = limits.admit(now, call)
            assert again is None
        now += 0.1
        limits.finish(now, call, TokensSpent(size, output_tokens=output))
    assert limits.in_flight == 0
