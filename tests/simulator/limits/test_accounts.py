"""Each key is an account, and what an account may do can be changed while it runs."""

import json

import pytest

from ai3ray.errors import RequestError
from ai3ray.simulator import Limits, SimulatorSettings
from ai3ray.simulator.limits.accounts import Accounts
from ai3ray.simulator.limits.vendor_limits import AdmittedCall


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(clock):
    settings = SimulatorSettings(limits={"openai": Limits(rpm=4), "anthropic": Limits(rpm=40)})
    return Accounts(settings, clock, epoch=0.0)


def limits_of(accounts, vendor, key="k"):
    return accounts.of(vendor, key).limits.limits


def test_different_keys_have_the_same_limits_and_their_own_use(accounts):
    one, two, none = (accounts.of("openai", key) for key in ("sk-one", "sk-two", ""))
    for _ in range(4):
        assert one.limits.admit(0.0, AdmittedCall(1)) is None
    assert one.limits.admit(0.0, AdmittedCall(1)).bound == "requests"
    assert two.limits.admit(0.0, AdmittedCall(1)) is None
    assert none.limits.admit(0.0, AdmittedCall(1)) is None
    assert accounts.of("openai", "sk-one") is one


def test_a_key_shows_nowhere(accounts):
    accounts.of("openai", "sk-canary")
    accounts.of("xai", "")
    shown = json.dumps(accounts.state())
    assert "canary" not in shown
    assert "xai/none" in shown


def test_what_a_change_names_differs_from_the_configuration(accounts):
    before = accounts.of("openai", "k")
    accounts.change({"openai": {"rpm": 100, "concurrency": 7}})
    assert (limits_of(accounts, "openai").rpm, limits_of(accounts, "openai").concurrency) == (100, 7)
    assert limits_of(accounts, "openai", "new").rpm == 100
    assert limits_of(accounts, "anthropic").rpm == 40
    accounts.change({"openai": {"tpm": 5}})
    assert (limits_of(accounts, "openai").rpm, limits_of(accounts, "openai").tpm) == (4, 5)
    accounts.restore()
    assert limits_of(accounts, "openai").rpm == 4
    assert accounts.of("openai", "k") is before


def test_a_factor_is_for_all_or_for_one_vendor(accounts):
    accounts.change({"factor": 0.25, "anthropic": {"factor": 0.5}})
    assert [limits_of(accounts, vendor).rpm for vendor in ("openai", "anthropic", "xai")] == [1, 20, 5000]


def test_a_change_may_end_by_itself(accounts, clock):
    accounts.change({"factor": 0.5, "seconds": 30})
    clock.now = 29.9
    assert limits_of(accounts, "anthropic").rpm == 20
    clock.now = 30.0
    assert limits_of(accounts, "anthropic").rpm == 40
    assert accounts.state()["restored_in_s"] is None


def test_a_reset_forgets_use_and_changes(accounts):
    accounts.change({"factor": 0.5})
    accounts.of("openai", "k").limits.admit(0.0, AdmittedCall(1))
    accounts.reset()
    assert limits_of(accounts, "openai").rpm == 4
    assert accounts.of("openai", "k").limits.in_flight == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (None, "give limits"),
        ([], "give limits"),
        ({}, "give limits"),
        ({"nobody": {"rpm": 1}}, "nobody"),
        ({"openai": 5}, "openai"),
        ({"openai": {"rpm": 0}}, "openai.rpm"),
        ({"openai": {"colour": 1}}, "openai.colour"),
        ({"openai": {"itpm": 1}}, "itpm"),
        ({"factor": 0}, "factor"),
        ({"factor": "half"}, "factor"),
        ({"factor": 0.5, "seconds": -1}, "seconds"),
    ],
)
def test_a_change_that_is_wrong_is_named_and_changes_nothing(accounts, change, words):
    before = accounts.state()
    with pytest.raises(RequestError, match=words):
        accounts.change(change)
    assert accounts.state() == before
