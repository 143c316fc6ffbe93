"""Rate headers are what each vendor sends, and what ai3ray's own reading of them finds."""

from datetime import UTC, datetime

import pytest

from ai3ray.providers.rates import rate_headers
from ai3ray.simulator import Limits
from ai3ray.simulator.limits.vendor_limits import AdmittedCall, VendorLimits
from ai3ray.simulator.wires.rate_headers import go_duration

EPOCH = datetime(2026, 11, 22, 10, tzinfo=UTC).timestamp()


def test_anthropics():
    limits = VendorLimits("anthropic", Limits(rpm=60, tpm=100_000, itpm=50_000, otpm=8500), epoch=EPOCH)
    limits.admit(0.0, AdmittedCall(12_345))
    assert limits.headers(0.0) == {
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "59",
        "anthropic-ratelimit-requests-reset": "2026-11-22T10:00:01Z",
        "anthropic-ratelimit-input-tokens-limit": "50000",
        "anthropic-ratelimit-input-tokens-remaining": "38000",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-22T10:00:15Z",
        "anthropic-ratelimit-output-tokens-limit": "8500",
        "anthropic-ratelimit-output-tokens-remaining": "8500",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-22T10:00:00Z",
        # The most restrictive of all that count tokens.
        "anthropic-ratelimit-tokens-limit": "50000",
        "anthropic-ratelimit-tokens-remaining": "38000",
        "anthropic-ratelimit-tokens-reset": "2026-11-22T10:00:15Z",
    }


@pytest.mark.parametrize("vendor", ["openai", "xai"])
def test_openais_and_xais(vendor):
    limits = VendorLimits(vendor, Limits(rpm=600, tpm=60_000))
    limits.admit(0.0, AdmittedCall(6500))
    assert limits.headers(0.0) == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "53500",
        "x-ratelimit-reset-tokens": "6.5s",
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0s"), (0.0001, "1ms"), (0.12, "120ms"), (1, "1s"), (1.5, "1.5s"), (360, "6m0s"), (3630, "1h0m30s")],
)
def test_durations_are_written_as_go_does(seconds, told):
    assert go_duration(seconds) == told


@pytest.mark.parametrize("vendor", ["anthropic", "openai", "xai"])
def test_they_are_read_as_they_were_meant(vendor):
    limits = VendorLimits(vendor, Limits(rpm=60, tpm=30_000), epoch=EPOCH)
    limits.admit(0.0, AdmittedCall(15_000, max_tokens=10))
    told = rate_headers({**limits.headers(0.0), "date": "Sun, 22 Nov 2026 10:00:00 GMT"})
    assert (told.requests.limit, told.requests.remaining, told.requests.reset_s) == (60, 59, 1)
    assert (told.tokens.limit, told.tokens.remaining, told.tokens.reset_s) == (30_000, 15_000, 30)


def test_a_debt_is_shown_as_nothing_left():
    limits = VendorLimits("openai", Limits(tpm=1000))
    limits.admit(0.0, AdmittedCall(5000))
    assert limits.headers(0.0)["x-ratelimit-remaining-tokens"] == "0"
    assert limits.headers(0.0)["x-ratelimit-reset-tokens"] == "5m0s"
