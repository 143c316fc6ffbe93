"""Rate headers of both vendors, in every form they take."""

import pytest

from ai3ray.domain.call import RateHeaders, RateWindow
from ai3ray.providers.rates import rate_headers, retry_after

DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


def test_anthropic_tells_four_windows_with_dates():
    headers = {"date": DATE}
    for name, limit in (("requests", 50), ("tokens", 900), ("input-tokens", 700), ("output-tokens", 200)):
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = "7"
        headers[f"anthropic-ratelimit-{name}-reset"] = "2026-11-22T12:00:30Z"
    expected = {"remaining": 7, "reset_s": 30.0}
    assert rate_headers(headers) == RateHeaders(
        requests=RateWindow(limit=50, **expected),
        tokens=RateWindow(limit=900, **expected),
        input_tokens=RateWindow(limit=700, **expected),
        output_tokens=RateWindow(limit=200, **expected),
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("7.66s", 7.66),
        ("30", 30.0),
        ("soon", None),
    ],
)
def test_openai_tells_durations(told, seconds):
    headers = {"x-ratelimit-limit-requests": "9", "x-ratelimit-reset-requests": told}
    window = rate_headers(headers).requests
    assert (window.limit, window.remaining, window.reset_s) == (9, None, seconds)


def test_a_server_without_rate_headers_has_none():
    assert rate_headers({"content-type": "text/plain"}) is None


@pytest.mark.parametrize("limit", ["-3", "many", "nan", "inf", ""])
def test_a_limit_that_is_no_number_is_no_limit(limit):
    assert rate_headers({"x-ratelimit-limit-tokens": limit}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "2", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT", "date": DATE}, 60.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "never"}, None),
        ({"retry-after": "99999999"}, None),
        ({}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}, 20.0),
        ({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "20s"}, None),
    ],
)
def test_how_long_to_wait(headers, seconds):
    assert retry_after(headers) == seconds
