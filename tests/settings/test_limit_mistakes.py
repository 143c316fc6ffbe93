"""A limit that cannot be is refused in one line before anything is called."""

import pytest

from ai3ray.errors import SettingsError
from ai3ray.registry.registry import Registry
from ai3ray.settings.fingerprint import settings_fingerprint

LIMITS = ("max_concurrency", "start", "rpm", "tpm", "itpm", "otpm")


def complaint(load) -> str:
    with pytest.raises(SettingsError) as raised:
        load()
    assert "\n" not in raised.value.message
    assert raised.value.exit_code == 2
    return raised.value.message


@pytest.mark.parametrize("value", ["0", "-5"])
@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_is_at_least_one(load, cwd, limit, value):
    (cwd / "ai3.toml").write_text(f"[providers.openai]\n{limit} = {value}\n")
    assert complaint(load).endswith(f"{limit} of [providers.openai] is {value}: it has to be at least 1")


@pytest.mark.parametrize(("value", "shown"), [("1.5", "1.5"), ("'many'", "many"), ("[1]", "[1]")])
def test_a_limit_is_a_whole_number(load, cwd, value, shown):
    (cwd / "ai3.toml").write_text(f"[providers.openai]\nrpm = {value}\n")
    assert complaint(load).endswith(f"rpm of [providers.openai] is {shown}: it has to be a whole number")


def test_a_way_of_counting_that_is_none_is_refused_with_those_there_are(load, cwd):
    (cwd / "ai3.toml").write_text("[providers.openai]\nadmission = 'generous'\n")
    words = "admission of [providers.openai] is generous: it has to be one of real, reserved, paced"
    assert complaint(load).endswith(words)


@pytest.mark.parametrize("key", ["rps", "burst", "max_concurency"])
def test_a_key_that_is_none_is_named(load, cwd, key):
    (cwd / "ai3.toml").write_text(f"[providers.openai]\n{key} = 3\n")
    assert complaint(load).endswith(f"[providers.openai] knows no {key!r}")


@pytest.mark.parametrize("variable", ["AI3_MAX_CONCURRENCY_PER_PROVIDER", "AI3_MAX_CONCURRENCY"])
def test_a_limit_of_zero_in_the_environment_is_refused(load, variable):
    with pytest.raises(SettingsError, match=f"{variable} is 0: it has to be at least 1"):
        load({variable: "0"})


def test_a_limit_class_is_read_from_the_cards(load, cwd):
    (cwd / "models.toml").write_text('[models."gpt-6-luna"]\nlimit_class = "luna"\n')
    assert Registry.load(load()).card("openai/gpt-6-luna").limit_class == "luna"
    (cwd / "models.toml").write_text('[models."gpt-6-luna"]\nlimit_class = 3\n')
    settings = load()
    with pytest.raises(SettingsError, match="limit_class is 3"):
        Registry.load(settings)


def test_another_way_of_counting_makes_another_head(load, cwd):
    before = settings_fingerprint(load(), {}, b"salt")["limits"]["openai"]
    (cwd / "ai3.toml").write_text("[providers.openai]\nadmission = 'real'\n")
    after = settings_fingerprint(load(), {}, b"salt")["limits"]["openai"]
    assert before != after
