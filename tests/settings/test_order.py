"""Which source wins, for every setting of the contract."""

import re
from pathlib import Path

import pytest

from ai3ray.settings.configured import configured_providers
from ai3ray.settings.load import load_settings, merged_env
from ai3ray.settings.model import Settings


def test_defaults_are_those_of_the_contract(load):
    settings = load()
    assert settings.planner_maxtok == 4096
    assert settings.planner_temperature == 0.0
    assert settings.max_concurrency == 5
    assert settings.max_runs == 16
    assert settings.max_concurrency_per_provider == 3
    assert settings.verify is True
    assert settings.repair_limit == 1
    assert settings.max_tasks == 20
    assert settings.budget_usd is None
    assert settings.head_idle_s == 900
    assert list(settings.providers) == ["anthropic", "openai", "xai", "local"]
    assert settings.explicit - {"home"} == frozenset()


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("AI3_PLANNER_MODEL", "xai/grok-4.7", "planner_model", "xai/grok-4.7"),
        ("AI3_PLANNER_MAXTOK", "99", "planner_maxtok", 99),
        ("AI3_PLANNER_TEMPERATURE", "0.5", "planner_temperature", 0.5),
        ("AI3_MAX_CONCURRENCY", "7", "max_concurrency", 7),
        ("AI3_MAX_RUNS", "2", "max_runs", 2),
        ("AI3_MAX_CONCURRENCY_PER_PROVIDER", "9", "max_concurrency_per_provider", 9),
        ("AI3_VERIFY", "off", "verify", False),
        ("AI3_REPAIR_LIMIT", "0", "repair_limit", 0),
        ("AI3_MAX_TASKS", "3", "max_tasks", 3),
        ("AI3_BUDGET_USD", "1.5", "budget_usd", 1.5),
        ("AI3_BUDGET_DAY_USD", "20", "budget_day_usd", 20.0),
        ("AI3_HEAD_IDLE_S", "60", "head_idle_s", 60.0),
        ("AI3_SERVER", "http://h:1", "server", "http://h:1"),
        ("AI3_LOCAL_MODEL", "/m.gguf", "local_model", "/m.gguf"),
        ("AI3_LOCAL_MODEL", "off", "local_model", "off"),
        ("AI3_API_KEYS", "a:b:run", "api_keys", "a:b:run"),
        ("AI3_RUNNERS", "2", "runners", 2),
    ],
)
def test_every_variable_sets_its_field_and_marks_it_explicit(load, variable, text, field, value):
    settings = load({variable: text})
    assert getattr(settings, field) == value
    assert settings.explicit - {"home"} == {field}


@pytest.mark.parametrize("word", ["on", "true", "1", "yes", "ON", "True"])
def test_a_switch_takes_every_word_for_on(load, word):
    assert load({"AI3_VERIFY": word}).verify is True


@pytest.mark.parametrize("word", ["off", "false", "0", "no", "OFF"])
def test_a_switch_takes_every_word_for_off(load, word):
    assert load({"AI3_VERIFY": word}).verify is False


def test_each_source_gives_way_to_the_one_above_it(load, cwd, home, tmp_path):
    def now(**others: object) -> int:
        return load(**others).max_runs

    steps = [now()]
    (home / "ai3.toml").write_text("max_runs = 2")
    steps.append(now())
    (cwd / "ai3.toml").write_text("max_runs = 3")
    steps.append(now())
    config = tmp_path / "mine.toml"
    config.write_text("max_runs = 4")
    steps.append(now(config=config))
    (home / ".env").write_text("AI3_MAX_RUNS=5")
    steps.append(now(config=config))
    (cwd / ".env").write_text("AI3_MAX_RUNS=6")
    steps.append(now(config=config))
    steps.append(now(config=config, env={"AI3_MAX_RUNS": "7"}))
    steps.append(now(config=config, env={"AI3_MAX_RUNS": "7"}, flags={"max_runs": 8, "verify": None}))
    assert steps == [16, 2, 3, 4, 5, 6, 7, 8]


def test_files_are_merged_table_by_table(load, cwd, home):
    (home / "ai3.toml").write_text("[providers.openai]\nrpm = 10\ntpm = 20\n")
    (cwd / "ai3.toml").write_text("[providers.openai]\nrpm = 11\n[providers.lab]\nbase_url = 'http://lab'\n")
    settings = load()
    assert (settings.providers["openai"].rpm, settings.providers["openai"].tpm) == (11, 20)
    assert settings.providers["openai"].api_key_env == "OPENAI_API_KEY"
    assert settings.providers["lab"].wire == "openai"
    assert settings.explicit - {"home"} == {"providers"}


def test_models_and_router_tables_are_merged_likewise(load, cwd, home):
    (home / "router.toml").write_text("preset = 'cheap'\n[presets.cheap]\ncost = 9.0\n")
    (cwd / "router.toml").write_text("preset = 'fast'\n")
    (cwd / "models.toml").write_text("[models.mine]\nprovider = 'openai'\n")
    settings = load()
    assert settings.router["preset"] == "fast"
    assert settings.router["presets"]["cheap"]["cost"] == 9.0
    assert settings.router["presets"]["cheap"]["success"] > 0
    assert {"mine", "claude-opus-5-5"} <= settings.models["models"].keys()


def test_a_config_file_may_be_named_by_a_variable_and_seen_from_the_working_folder(load, cwd):
    (cwd / "other.toml").write_text("max_runs = 4")
    assert load({"AI3_CONFIG": "other.toml"}).max_runs == 4


def test_an_empty_variable_is_no_value(load):
    assert load({"AI3_BUDGET_USD": "", "AI3_MAX_RUNS": "  "}).explicit - {"home"} == frozenset()


def test_a_provider_limit_is_its_own_or_the_common_one(load, cwd):
    (cwd / "ai3.toml").write_text("[providers.xai]\nmax_concurrency = 40\n")
    settings = load({"AI3_MAX_CONCURRENCY_PER_PROVIDER": "6"})
    assert (settings.provider_limit("xai"), settings.provider_limit("openai")) == (40, 6)


def test_home_is_expanded_and_absolute(cwd):
    def of(**env: str) -> Path:
        return load_settings(env={"HOME": "/people/ann", **env}, cwd=cwd).home

    assert of() == Path("/people/ann/.ai3ray")
    assert of(AI3_HOME="~/x") == Path("/people/ann/x")
    assert of(AI3_HOME="sub/../x") == cwd / "x"


def test_home_may_stand_in_the_env_file_of_the_working_folder(cwd, home):
    (cwd / ".env").write_text(f"AI3_HOME={home}\n")
    (home / ".env").write_text("AI3_MAX_RUNS=2\nOPENAI_API_KEY=sk-home\n")
    env = {"HOME": "/nowhere"}
    settings = load_settings(env=env, cwd=cwd)
    assert (settings.home, settings.max_runs) == (home, 2)
    assert merged_env(env, cwd)["OPENAI_API_KEY"] == "sk-home"


def test_the_merged_environment_is_the_real_one_with_gaps_filled(cwd, home):
    (cwd / ".env").write_text("A=file\nB=file\nC=${A}-${B}\nexport D='x y'\n")
    merged = merged_env({"AI3_HOME": str(home), "A": "env"}, cwd)
    assert {name: merged[name] for name in "ABCD"} == {"A": "env", "B": "file", "C": "env-file", "D": "x y"}


def test_a_folder_called_env_is_no_env_file(load, cwd):
    (cwd / ".env").mkdir()
    assert load().max_runs == 16


def test_a_provider_is_configured_by_key_or_by_an_address_of_the_users_own(load, cwd):
    (cwd / "ai3.toml").write_text(
        "[providers.lab]\nbase_url = 'http://lab/v1'\n"
        "[providers.gate]\nbase_url = 'http://g'\napi_key_env = 'GATE_KEY'\n"
    )
    settings = load({"AI3_LOCAL_MODEL": "/nowhere.gguf"})
    assert configured_providers(settings, {}) == ("lab",)
    assert configured_providers(settings, {"XAI_API_KEY": "k", "OPENAI_API_KEY": " "}) == ("xai", "lab")
    assert configured_providers(settings, {"OPENAI_BASE_URL": "http://sim", "GATE_KEY": "k"}) == (
        "openai",
        "lab",
        "gate",
    )


def test_the_example_names_every_setting(load):
    text = (Path(__file__).parents[2] / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z0-9_]+)=", text, flags=re.MULTILINE))
    fields = Settings.model_fields.keys() - {"providers", "keys", "models", "router", "explicit", "sources"}
    wanted = {f"AI3_{field.upper()}" for field in fields} | {"AI3_CONFIG"}
    wanted |= {f"{name}_{what}" for name in ("ANTHROPIC", "OPENAI", "XAI") for what in ("API_KEY", "BASE_URL")}
    assert named == wanted


def test_the_example_is_a_valid_env_file_that_changes_nothing(load, cwd):
    text = (Path(__file__).parents[2] / ".env.example").read_text()
    (cwd / ".env").write_text(text)
    assert load().explicit - {"home"} == frozenset()
