"""A user's file says what is to differ, and what it may not say is named."""

import pytest

from ai3ray.errors import SettingsError
from ai3ray.simulator import SimulatorSettings
from ai3ray.simulator.author.author import write
from ai3ray.simulator.fault_rules import FaultInjector, rules_from_rates
from ai3ray.simulator.simulation import Simulation
from ai3ray.simulator.simulator_settings import Answers
from ai3ray.simulator.wires.parsed_request import ParsedRequest
from ai3ray.verifier.check import check


def load(tmp_path, text, **overrides):
    file = tmp_path / "sim.toml"
    file.write_text(text)
    return SimulatorSettings.load(file, **overrides)


def test_a_file_changes_what_it_names_and_leaves_the_rest(tmp_path):
    settings = load(tmp_path, "[limits.openai]\nrpm = 60\n[prices.m]\ninput = 1\noutput = 2\n", seed=7)
    usual = SimulatorSettings.load()
    assert settings.limits["openai"] == usual.limits["openai"].model_copy(update={"rpm": 60})
    assert settings.limits["xai"] == usual.limits["xai"]
    assert settings.prices == {**usual.prices, "m": settings.prices["m"]}
    assert settings.seed == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", r"sim\.toml: colour: no such setting"),
        ("[limits.openai]\nrpx = 1", r"sim\.toml: limits\.openai\.rpx: no such setting"),
        ("[limits.nobody]\nrpm = 1", "limits.nobody"),
        ("[limits.openai]\nitpm = 1", "openai has no itpm"),
        ("[limits.openai]\nrpm = 0", "limits.openai.rpm"),
        ("[rates]\nearthquake = 0.1", "rates.earthquake"),
        ("[rates]\ncut = 0.6\neof = 0.6", "together at most 1"),
        ("[[faults]]\nfault = 'cut'\ncolour = 1", "faults.0.colour"),
        ("[pace]\ndata_x = 1", "pace.data_x"),
    ],
)
def test_what_a_file_may_not_say_is_one_line_that_names_it(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_measured_calls_are_looked_for_beside_the_file(tmp_path):
    (tmp_path / "calls.json").write_text('[{"ttft_s": 0.5, "total_s": 2.5}]')
    settings = load(tmp_path, "[pace]\ndata = 'calls.json'\n")
    asked = ParsedRequest("xai", "grok-4.7", False, "", (("user", "p"),), 9)
    assert Simulation(settings).answer_speed(asked).total_s == 2.5


def test_configured_faults_hold_from_the_start_and_after_a_reset(tmp_path):
    text = "[[faults]]\nfault = 'auth'\nwhen = { first = 1 }\n[rates]\ncut = 0.5\n"
    simulation = Simulation(load(tmp_path, text))
    rules = simulation.faults.rules
    assert [rule.fault for rule in rules] == ["auth", "cut"]
    simulation.faults.set(())
    simulation.reset()
    assert simulation.faults.rules == rules


def test_rates_strike_each_kind_as_often_as_it_says():
    faults = FaultInjector(seed=3)
    faults.set(rules_from_rates({"rate_limit": 0.3, "cut": 0.2, "eof": 0.5}))
    asked = ParsedRequest("xai", "grok-4.7", False, "", (("user", "p"),), 9)
    struck = [faults.select(asked).fault for _ in range(2000)]
    assert [round(struck.count(name) / 2000, 1) for name in ("rate_limit", "cut", "eof")] == [0.3, 0.2, 0.5]


@pytest.mark.parametrize("size", [1, 2, 16, 64, 1000])
def test_a_short_answer_is_exactly_so_long_and_always_the_same(size):
    asked = [ParsedRequest("anthropic", "m", False, "", (("user", prompt),), 10_000) for prompt in ("One?", "Two?")]
    first, second = (write(one, 1, None, Answers(tokens=size)) for one in asked)
    assert first == second
    assert first.output_tokens == size


def test_a_short_answer_passes_the_rules():
    from ai3ray.domain.call import Reply, Usage
    from ai3ray.domain.plan import Task

    asked = ParsedRequest("anthropic", "m", False, "", (("user", "Write."),), 10_000)
    text = write(asked, 1, None, Answers(tokens=120)).text
    task = Task(id="t", title="t", prompt="Write about the subject.", kind="writing")
    verdict = check(task, Reply(text=text, finish="stop", usage=Usage(), model="m"), content=True)
    assert verdict.passed, verdict.defects


def test_a_fixed_answer_gives_way_to_a_schema_and_to_a_defect():
    asked = ParsedRequest("anthropic", "m", False, "", (("user", "Write."),), 10_000)
    schema = ParsedRequest("anthropic", "m", False, "", (("user", "Write."),), 10_000, {"type": "integer"})
    fixed = Answers(text="Yes.")
    assert write(asked, 1, None, fixed).text == "Yes."
    assert "DEFECT" in write(asked, 1, "defect", fixed).text
    assert write(schema, 1, None, fixed).text.isdigit()
