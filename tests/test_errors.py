"""The error tree: what each class states, what survives pickling, and how pydantic's errors read."""

from __future__ import annotations

import pickle
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ai3ray import errors
from ai3ray.domain.call import ErrorInfo, RateHeaders, Usage
from ai3ray.errors import (
    REBUILT,
    TOML_NOUNS,
    Ai3Error,
    JournalLocked,
    PlanError,
    RateLimited,
    ServerRefused,
    Throttled,
    error_classes,
    first_problem,
)
from ai3ray.executor.conductor import RunStopped
from ai3ray.executor.core_client import LeaseRefused

CONTRACT = """
Ai3Error           error               500  1
UsageError         usage               400  2
SettingsError      settings            400  2
RequestError       invalid_request     400  2
PlanError          invalid_plan        400  2
UnknownModel       unknown_model       400  2
MissingKey         missing_key         400  2
NotBuilt           not_built           400  2
ProviderError      provider            502  1
ConnectFailed      connect_failed      502  1
CallTimeout        timeout             502  1
StreamCut          stream_cut          502  1
MalformedReply     malformed_reply     502  1
RateLimited        rate_limited        502  1
Overloaded         overloaded          502  1
ServerFault        server_fault        502  1
QuotaSpent         quota_spent         502  1
KeyRefused         key_refused         502  1
ModelGone          model_gone          502  1
ContextOverflow    context_overflow    502  1
CallRefused        call_refused        502  1
RunError           run                 409  1
NoModelLeft        no_model_left       503  1
BudgetSpent        budget              402  4
UnknownRun         not_found           404  2
IllegalTransition  illegal_transition  409  1
AnswerRejected     rejected            500  1
JournalError       journal             503  1
JournalLocked      journal_locked      503  1
KeyReused          key_reused          409  1
StaleEpoch         stale_epoch         503  1
EngineError        engine              503  1
RunnerLost         runner_lost         503  1
HeadUnavailable    head_unavailable    503  1
ServerRefused      server_refused      503  1
AccessError        access              403  2
Unauthenticated    unauthenticated     401  2
Forbidden          forbidden           403  2
Throttled          too_many_requests   429  1
"""
"""Class, wire name, HTTP status, exit code."""

TREE = [kind for kind in error_classes() if kind.__module__ == errors.__name__]


def test_the_classes_state_what_the_contract_promises():
    stated = [[kind.__name__, kind.type, str(kind.http_status), str(kind.exit_code)] for kind in TREE]
    assert stated == [row.split() for row in CONTRACT.split("\n") if row]


def test_a_wire_name_stands_for_one_class():
    assert len({kind.type for kind in TREE}) == len(TREE)


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = [word for line in errors.__doc__.splitlines() for word in line.split() if word in vars(errors)]
    assert drawn == [kind.__name__ for kind in TREE]


def test_a_client_rebuilds_what_its_caller_can_act_on():
    assert set(REBUILT) == {
        *("usage", "settings", "invalid_request", "invalid_plan", "unknown_model", "missing_key", "not_built"),
        *("budget", "key_reused", "journal_locked", "head_unavailable"),
        *("unauthenticated", "forbidden", "too_many_requests"),
    }


@pytest.mark.parametrize(("status", "code"), [(400, 2), (409, 2), (499, 2), (500, 1), (503, 1)])
def test_a_refusal_by_a_server_is_the_caller_s_mistake_when_its_status_is_4xx(status, code):
    assert ServerRefused("no", status).exit_code == code


@pytest.mark.parametrize(
    "error",
    [
        *(kind("what happened") for kind in TREE),
        PlanError("task a: no", "plan"),
        JournalLocked("held", 7),
        ServerRefused("no", 404, "not_found", "run_id"),
        Throttled("too much", 12.5),
        RateLimited("slow down", provider="p", status=429, rate=RateHeaders(), usage=Usage(), maybe_paid=True),
        LeaseRefused(ErrorInfo(type="no_model_left", message="nobody")),
        RunStopped(ErrorInfo(type="budget", message="spent")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_pickling_with_all_its_fields(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, vars(again)) == (type(error), error.args, vars(error))
    assert again.message == error.message


class Example(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(default=1, ge=1, le=9)
    flag: bool = False
    names: list[str] = Field(default_factory=list)
    label: str = Field(default="x", min_length=1)
    inner: Example | None = None
    mode: Literal["fast", "safe"] = "safe"
    only: Literal[1] = 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"count": 0}, "count: it has to be at least 1"),
        ({"count": 10}, "count: it has to be at most 9"),
        ({"count": "many"}, "count: it has to be a whole number"),
        ({"count": 1.5}, "count: it has to be a whole number"),
        ({"flag": "maybe"}, "flag: it has to be true or false"),
        ({"names": "a"}, "names: it has to be a list"),
        ({"names": ["a", 1]}, "names.1: it has to be text"),
        ({"label": ""}, "label: String should have at least 1 character"),
        ({"inner": 3}, "inner: it has to be an object"),
        ({"inner": {"colour": "red"}}, "inner.colour: this field is not supported"),
        ({"mode": "slow"}, "mode: it has to be one of fast, safe"),
        ({"only": 2}, "only: it has to be 1"),
        (3, "it has to be an object"),
    ],
)
def test_a_validation_error_reads_as_field_and_demand(data, message):
    with pytest.raises(ValidationError) as caught:
        Example.model_validate(data)
    assert first_problem(caught.value).message == message


def test_toml_has_its_own_nouns():
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({"inner": 3})
    assert first_problem(caught.value, TOML_NOUNS).message == "inner: it has to be a table"


def test_every_class_is_of_the_tree():
    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert found == [kind for kind in found if issubclass(kind, Ai3Error)]
