"""What a caller may ask, and how a wrong field is named."""

import pytest

from ai3ray.domain.request import RunRequest, parse_request
from ai3ray.errors import RequestError


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"prompt": "x", "api_key": "k"}, "api_key"),
        ({"prompt": "x", "run_class": "later"}, "run_class"),
        ({"prompt": "  "}, "prompt"),
        ({}, "prompt"),
        ({"prompt": 3}, "prompt"),
        ({"prompt": "half a pair \ud800"}, "prompt"),
        ({"prompt": "x", "metadata": {"a": "\udfff"}}, "prompt"),
        ({"prompt": "x", "budget_usd": 0}, "budget_usd"),
        ({"prompt": "x", "assembly": "vote"}, "assembly"),
        ({"prompt": "x", "context": [{"name": "a"}]}, "context.0.text"),
    ],
)
def test_a_wrong_field_is_named(data, param):
    with pytest.raises(RequestError) as caught:
        parse_request(data)
    assert caught.value.param == param
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, [], "prompt", 3])
def test_a_request_is_an_object(data):
    with pytest.raises(RequestError):
        parse_request(data)


def test_a_plan_may_stand_in_for_the_prompt():
    assert parse_request({"plan": {"tasks": []}}).prompt == ""


def test_class_is_the_name_on_the_wire():
    request = parse_request({"prompt": "x", "class": "batch"})
    assert request.run_class == "batch"
    assert RunRequest.model_validate_json(request.model_dump_json(by_alias=True)) == request
