"""Rates per minute, in virtual time."""

from __future__ import annotations

import pytest

from ai3ray.domain.call import Usage
from ai3ray.domain.lease import Lease, Settlement


def test_requests_per_minute_are_never_exceeded_and_nearly_used_up(world):
    pool = world({"a": 1000}, rates={"rpm": 120, "start": 1000})
    sent: list[float] = []
    for _ in range(600):
        answer = pool.lease()
        sent += [pool.now] * isinstance(answer, Lease)
    while pool.now < 1000.0 + 180.0:
        answers = pool.wait(0.25)
        sent += [pool.now] * len(list(answers))
    for start in range(1000, 1180):
        assert sum(start <= at < start + 60 for at in sent) <= 120 + 3  # the rate, and half a second's burst
    assert len(sent) >= 0.98 * 120 * 3


def test_a_request_that_comes_when_the_rate_is_used_up_is_served_by_time_alone(world):
    pool = world({"a": 10}, rates={"rpm": 60})
    pool.take()
    assert pool.lease() is None
    assert [type(answer) for answer in pool.wait(1.1)] == [Lease]


def test_with_another_provider_free_nobody_waits_for_a_rate(world):
    pool = world({"a": 10, "b": 10}, rates={"rpm": 60})
    assert {pool.take().provider, pool.take().provider} == {"a", "b"}


@pytest.mark.parametrize(("kind", "used"), [("itpm", Usage(input_tokens=600)), ("otpm", Usage(output_tokens=600))])
def test_real_tokens_are_charged_when_they_are_known(world, kind, used):
    pool = world({"a": 10}, rates={kind: 600})
    lease = pool.take()
    pool.pool.settle(
        Settlement(attempt_id=lease.attempt_id, token=lease.token, status="succeeded", usage=used, seconds=1.0)
    )
    assert pool.lease() is None
    assert list(pool.wait(50)) == []
    assert [type(answer) for answer in pool.wait(11)] == [Lease]


def test_input_read_from_a_cache_does_not_count_as_input(world):
    pool = world({"a": 10}, rates={"itpm": 600})
    lease = pool.take()
    cached = Usage(input_tokens=600, cached_tokens=600)
    pool.pool.settle(
        Settlement(attempt_id=lease.attempt_id, token=lease.token, status="succeeded", usage=cached, seconds=1.0)
    )
    assert isinstance(pool.lease(), Lease)
