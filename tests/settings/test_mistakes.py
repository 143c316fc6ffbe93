"""Every mistake is told in one line that names its source, and never shows a secret."""

import pytest

from ai3ray.errors import SettingsError


def complaint(load, *args, **kwargs) -> str:
    with pytest.raises(SettingsError) as raised:
        load(*args, **kwargs)
    assert "\n" not in raised.value.message
    assert raised.value.exit_code == 2
    return raised.value.message


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("AI3_MAX_CONCURRENCY", "-1", "AI3_MAX_CONCURRENCY is -1: it has to be at least 1"),
        ("AI3_MAX_CONCURRENCY", "many", "AI3_MAX_CONCURRENCY is many: it has to be a whole number"),
        ("AI3_MAX_RUNS", "2.5", "AI3_MAX_RUNS is 2.5: it has to be a whole number"),
        ("AI3_VERIFY", "maybe", "AI3_VERIFY is maybe: it has to be on or off"),
        ("AI3_BUDGET_USD", "0", "AI3_BUDGET_USD is 0: it has to be more than 0"),
        ("AI3_BUDGET_USD", "inf", "AI3_BUDGET_USD is inf: it has to be a finite number"),
        ("AI3_BUDGET_USD", "much", "AI3_BUDGET_USD is much: it has to be a number"),
        ("AI3_BUDGET_DAY_USD", "0", "AI3_BUDGET_DAY_USD is 0: it has to be more than 0"),
        ("AI3_BUDGET_DAY_USD", "inf", "AI3_BUDGET_DAY_USD is inf: it has to be a finite number"),
        ("AI3_PLANNER_TEMPERATURE", "3", "AI3_PLANNER_TEMPERATURE is 3: it has to be at most 2"),
        ("AI3_HEAD_IDLE_S", "0", "AI3_HEAD_IDLE_S is 0: it has to be more than 0"),
    ],
)
def test_a_bad_variable_is_named_with_its_value(load, variable, text, message):
    assert complaint(load, {variable: text}) == message


def test_a_bad_variable_in_an_env_file_is_named_with_file_and_line(load, cwd):
    (cwd / ".env").write_text("# first\n\nA=1\n\n\nAI3_MAX_RUNS=0\n")
    assert complaint(load) == f"{cwd / '.env'}, line 6: AI3_MAX_RUNS is 0: it has to be at least 1"


@pytest.mark.parametrize("line", ["this is no line", "LONELY", "='x'", "A='unclosed"])
def test_a_broken_env_line_is_named_but_not_shown(load, home, line):
    (home / ".env").write_text(f"GOOD=1\n\n{line}\n")
    assert complaint(load) == f"{home / '.env'}, line 3: not of the form NAME=value"


def test_a_bad_flag_is_named_as_the_user_wrote_it(load):
    assert complaint(load, flags={"max_concurrency": 0}) == "--max-concurrency is 0: it has to be at least 1"
    assert complaint(load, flags={"budget_usd": -1.0}) == "--budget is -1.0: it has to be more than 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_runs = 0", ": max_runs is 0: it has to be at least 1"),
        ("colour = 'red'", ": there is no setting 'colour'"),
        ("home = '/x'", ": home is set by AI3_HOME, not in a file"),
        ("[providers.openai]\ncolour = 1", ": [providers.openai] knows no 'colour'"),
        ("[providers.openai]\nrpm = 0", ": rpm of [providers.openai] is 0: it has to be at least 1"),
        (
            "[providers.openai]\nwire = 'morse'",
            ": wire of [providers.openai] is morse: it has to be one of anthropic, openai, local, scripted",
        ),
        ("[providers]\nopenai = 3", ": [providers.openai] is 3: it has to be a table"),
        ("[providers.lab]\nmodels = 'one'", ": models of [providers.lab] is one: it has to be a list"),
        ("a = 1\nb = = 2\n", ", line 2: broken TOML: Invalid value"),
        ("a = 1\n\nb = [1,\n", ", line 4: broken TOML: Invalid value"),
        (
            "[providers.'a/b']\nrpm = 1",
            ": [providers]: a provider's name is letters, digits, '_', '.' and '-', not 'a/b'",
        ),
    ],
)
def test_a_mistake_in_a_file_is_named_with_file_and_line_or_key(load, cwd, text, message):
    path = cwd / "ai3.toml"
    path.write_text(text)
    assert complaint(load) == f"{path}{message}"


def test_the_file_that_made_the_mistake_is_blamed_not_the_one_over_it(load, cwd, home):
    (home / "ai3.toml").write_text("[providers.openai]\nrpm = 0\n")
    (cwd / "ai3.toml").write_text("[providers.openai]\ntpm = 5\n")
    assert complaint(load).startswith(str(home / "ai3.toml"))


@pytest.mark.parametrize("name", ["models.toml", "router.toml"])
def test_broken_tables_of_models_and_router_are_named_too(load, home, name):
    (home / name).write_text("x = \n")
    assert complaint(load) == f"{home / name}, line 1: broken TOML: Invalid value"


def test_a_config_file_that_is_not_there_is_named(load, cwd):
    assert complaint(load, {"AI3_CONFIG": "no.toml"}) == f"AI3_CONFIG is {cwd / 'no.toml'}: there is no such file"
    assert complaint(load, config=cwd / "gone.toml") == f"--config is {cwd / 'gone.toml'}: there is no such file"


def test_text_that_is_not_utf8_is_named(load, cwd):
    (cwd / "ai3.toml").write_bytes(b"x = '\xff'")
    assert complaint(load) == f"{cwd / 'ai3.toml'}: not UTF-8 text"


def test_a_mistake_about_a_secret_does_not_show_it(load, cwd):
    (cwd / "ai3.toml").write_text("server_key = 123456789\n")
    with pytest.raises(SettingsError) as raised:
        load()
    assert "123456789" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
