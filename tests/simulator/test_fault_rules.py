"""When a rule strikes."""

import pytest

from ai3ray.simulator.fault_rules import FaultInjector, FaultTrigger, read_faults
from ai3ray.simulator.wires.parsed_request import ParsedRequest


def asked(prompt="p", account="openai", model="gpt-6-luna"):
    return ParsedRequest(account, model, stream=False, system="", turns=(("user", prompt),), max_tokens=9)


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        ({"n": [1, 4]}, [1, 4]),
        ({"first": 2}, [1, 2]),
        ({"first": 0}, []),
        ({"from": 3}, [3, 4, 5]),
        ({"from": 2, "to": 3}, [2, 3]),
        ({"to": 1}, [1]),
        ({"every": 2}, [2, 4]),
        ({"every": 2, "from": 3}, [4]),
        ({"probability": 0}, []),
        ({"probability": 1}, [1, 2, 3, 4, 5]),
        (None, [1, 2, 3, 4, 5]),
    ],
)
def test_schedules(when, struck):
    faults = FaultInjector(seed=1)
    faults.set(read_faults({"fault": "cut", **({"when": when} if when else {})}))
    assert [n for n in range(1, 6) if faults.select(asked())] == struck


def test_a_rule_may_hold_for_a_time():
    moments = iter([0.0, 100.0, 100.0, 101.9, 102.0, 104.9, 105.0])
    faults = FaultInjector(seed=1, clock=lambda: next(moments))
    faults.set(read_faults({"fault": "cut", "when": {"after_s": 2, "until_s": 5}}))
    struck = [faults.select(asked()) is not None for _ in range(5)]
    assert struck == [False, False, True, True, False]


def test_chance_comes_from_the_seed():
    def schedule(seed):
        faults = FaultInjector(seed)
        faults.set(read_faults({"fault": "cut", "when": {"probability": 0.5}}))
        return [faults.select(asked()) is not None for _ in range(200)]

    assert schedule(1) == schedule(1) != schedule(2)
    assert 70 < sum(schedule(1)) < 130


def test_a_rule_counts_only_calls_it_is_about():
    faults = FaultInjector(seed=1)
    faults.set(read_faults({"fault": "cut", "contains": "x", "when": {"n": [2]}}))
    assert [bool(faults.select(asked(prompt))) for prompt in ("x", "y", "y", "x", "x")] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_the_first_rule_that_strikes_decides():
    faults = FaultInjector(seed=1)
    faults.set(read_faults([{"fault": "cut", "when": {"n": [2]}}, {"fault": "eof"}]))
    assert [faults.select(asked()).fault for _ in range(3)] == ["eof", "cut", "eof"]


def test_an_empty_when_says_nothing():
    with pytest.raises(ValueError, match="empty"):
        FaultTrigger()
