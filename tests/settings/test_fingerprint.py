"""What a head is recognised by, and what must not be in it."""

import json

from ai3ray.settings.fingerprint import settings_fingerprint

KEY = "sk-ant-canary-0123456789"


def test_no_secret_is_in_any_repr_or_fingerprint(load, home):
    (home / ".env").write_text(f"ANTHROPIC_API_KEY={KEY}\nAI3_SERVER_KEY={KEY}\nAI3_API_KEYS=ann:{KEY}:run\n")
    settings = load()
    assert settings.server_key is not None
    assert settings.server_key.get_secret_value() == KEY
    env = {"ANTHROPIC_API_KEY": KEY, "OPENAI_BASE_URL": f"http://user:{KEY}@gate/v1"}
    fingerprint = settings_fingerprint(settings, env, b"salt")
    assert KEY not in json.dumps(fingerprint)
    assert KEY not in repr(settings) + str(settings)


def test_keys_are_salted_and_told_apart(load):
    settings = load()
    one = settings_fingerprint(settings, {"ANTHROPIC_API_KEY": KEY}, b"a")
    again = settings_fingerprint(settings, {"ANTHROPIC_API_KEY": KEY}, b"a")
    salted = settings_fingerprint(settings, {"ANTHROPIC_API_KEY": KEY}, b"b")
    other = settings_fingerprint(settings, {"ANTHROPIC_API_KEY": KEY + "x"}, b"a")
    assert one == again
    assert len({each["keys"]["ANTHROPIC_API_KEY"] for each in (one, salted, other)}) == 3
    assert one["keys"]["OPENAI_API_KEY"] is None


def test_everything_a_head_cannot_change_at_run_time_changes_it(load, cwd):
    def of(env=None, **others) -> str:
        return json.dumps(settings_fingerprint(load(env, **others), env or {}, b"a"), sort_keys=True)

    seen = {of(), of({"AI3_MAX_RUNS": "3"}), of({"AI3_PLANNER_MAXTOK": "9"}), of({"AI3_RUNNERS": "3"})}
    seen.add(of({"AI3_LOCAL_MODEL": "/m"}))
    seen.add(of({"AI3_BUDGET_DAY_USD": "9"}))
    seen.add(of({"OPENAI_BASE_URL": "http://sim"}))
    seen.add(of({"AI3_MAX_CONCURRENCY_PER_PROVIDER": "9"}))
    (cwd / "router.toml").write_text("preset = 'cheap'")
    seen.add(of())
    (cwd / "models.toml").write_text("[models.mine]\nprovider = 'xai'")
    seen.add(of())
    (cwd / "ai3.toml").write_text("[providers.xai]\nrpm = 5")
    seen.add(of())
    assert len(seen) == 11


def test_what_a_request_carries_does_not_change_it(load):
    def of(env) -> dict:
        return settings_fingerprint(load(env), {}, b"a")

    assert of({}) == of({"AI3_MAX_TASKS": "3", "AI3_VERIFY": "off", "AI3_BUDGET_USD": "1", "AI3_MAX_CONCURRENCY": "2"})


def test_pool_limits_stand_apart(load):
    """They may be put into force without another head."""
    few, many = (
        settings_fingerprint(load({"AI3_MAX_CONCURRENCY_PER_PROVIDER": count}), {}, b"a") for count in ("2", "9")
    )
    assert few["limits"]["openai"]["max_concurrency"] == 2
    few.pop("limits")
    many.pop("limits")
    assert few == many
