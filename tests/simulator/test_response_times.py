"""How fast answers come: distributions, and calls that were measured."""

import json
import statistics

import pytest

from ai3ray.errors import SettingsError
from ai3ray.simulator import Pace
from ai3ray.simulator.response_times import ResponseTimes, read_latency

MEASURED = [
    {"provider": "a", "model": "m", "ttft_s": 0.1, "total_s": 1.0, "output_tokens": 9, "error": None},
    {"provider": "a", "model": "m", "ttft_s": 0.2, "total_s": 2.0, "output_tokens": 9, "error": None},
    {"provider": "b", "model": "m", "ttft_s": 0.3, "total_s": 3.0, "output_tokens": 9, "error": None},
    {"provider": "b", "model": "m", "ttft_s": 0.4, "total_s": 0.4, "output_tokens": 9, "error": 429},
]
SPECS = ["soon", "-1", "nan", "constant:", "constant:x", "lognormal:1", "ttft:1", "ttft:1,2,3"]


@pytest.fixture
def measured(tmp_path):
    file = tmp_path / "calls.json"
    file.write_text(json.dumps(MEASURED))
    return file


def totals(pace, count=401, tokens=100):
    clockwork = ResponseTimes(pace, seed=1)
    return [clockwork.draw("m", str(n)).after(tokens, tokens) for n in range(count)]


def test_the_usual_pace_is_a_first_token_and_a_speed():
    tempo = ResponseTimes(Pace(first_token_sigma=0, tokens_sigma=0), seed=1).draw("m", "p")
    assert tempo.after(0, 100) == pytest.approx(0.05)
    assert tempo.after(40, 100) == pytest.approx(0.15)
    assert tempo.after(100, 100) == pytest.approx(0.3)


def test_a_constant_total_does_not_depend_on_length():
    pace = Pace(**read_latency("constant:0.2"))
    assert [*totals(pace, 9, tokens=1), *totals(pace, 9, tokens=5000)] == [pytest.approx(0.2)] * 18


def test_a_lognormal_total_has_its_median_and_spread():
    drawn = sorted(totals(Pace(**read_latency("lognormal:2,0.5"))))
    assert statistics.median(drawn) == pytest.approx(2, rel=0.1)
    assert drawn[int(0.84 * len(drawn))] == pytest.approx(2 * 2.718**0.5, rel=0.15)


def test_an_answer_begins_before_it_ends():
    clockwork = ResponseTimes(Pace(first_token_s=5, **read_latency("constant:0.2")), seed=1)
    tempo = clockwork.draw("m", "p")
    assert tempo.after(0, 9) <= tempo.after(9, 9) == pytest.approx(0.2)


def test_first_token_and_speed_may_be_exact():
    pace = Pace(**read_latency("ttft:0.5,100"))
    assert totals(pace, 9) == [pytest.approx(1.5)] * 9


def test_a_number_alone_is_the_median_of_the_first_token():
    assert read_latency("0.5") == {"first_token_s": 0.5}


def test_measured_calls_are_drawn_as_they_were(measured):
    pace = Pace(**read_latency(str(measured)))
    drawn = [ResponseTimes(pace, 1).draw("m", str(n)) for n in range(60)]
    assert {(tempo.after(0, 9), tempo.after(9, 9)) for tempo in drawn} == {(0.1, 1.0), (0.2, 2.0), (0.3, 3.0)}
    assert ResponseTimes(pace, 1).draw("m", "p") == ResponseTimes(pace, 1).draw("m", "p")


def test_measured_calls_of_one_provider(measured):
    assert set(totals(Pace(data=measured, data_provider="b"))) == {3.0}
    with pytest.raises(SettingsError, match="no measured calls of c"):
        ResponseTimes(Pace(data=measured, data_provider="c"), 1)


def test_calls_fail_as_often_as_the_measured_ones_did(measured):
    clockwork = ResponseTimes(Pace(data=measured, data_errors=True), seed=1)
    struck = [clockwork.error(n) for n in range(1000)]
    assert set(struck) == {None, 429}
    assert 200 < struck.count(429) < 300
    assert struck == [clockwork.error(n) for n in range(1000)]
    assert ResponseTimes(Pace(data=measured), 1).error(1) is None


@pytest.mark.parametrize(
    "spec", ["soon", "-1", "nan", "constant:", "constant:x", "lognormal:1", "ttft:1", "ttft:1,2,3"]
)
def test_a_spec_that_is_none_is_told_with_those_that_are(spec):
    with pytest.raises(SettingsError, match="lognormal:S,SIGMA"):
        read_latency(spec)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[", "calls.json"),
        ("{}", "not a list"),
        ("[]", "no measured calls"),
        ('[{"ttft_s": -1, "total_s": 1}]', "ttft_s"),
        ('[{"total_s": 1, "error": 500}]', "every measured call failed"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, words):
    file = tmp_path / "calls.json"
    file.write_text(text)
    with pytest.raises(SettingsError, match=words):
        ResponseTimes(Pace(data=file), 1)
    with pytest.raises(SettingsError, match="nowhere"):
        ResponseTimes(Pace(data=tmp_path / "nowhere.json"), 1)
