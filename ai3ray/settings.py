"""Settings: flags > environment > `.env` > `ai3.toml` files > packaged defaults, checked once, frozen."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator

from ai3ray.config_files import merge_tables, read_dotenv, read_toml, table_sources
from ai3ray.domain.access import CallerLimits
from ai3ray.domain.frozen import Frozen
from ai3ray.errors import SettingsError
from ai3ray.local_model import LocalModel
from ai3ray.packaged import configs_dir

Wire = Literal["anthropic", "openai", "local", "scripted"]
Admission = Literal["real", "reserved", "paced"]
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ProviderSettings(Frozen):
    """One provider account, from `[providers.NAME]`."""

    wire: Wire = "openai"
    """The protocol it speaks: `anthropic` Messages or `openai` Chat Completions."""
    base_url: str | None = None
    """Where it listens; the vendor's own address when absent."""
    base_url_env: str | None = None
    """Variable that overrides `base_url`."""
    api_key_env: str | None = None
    """Variable that holds the key; a provider without one needs no key."""
    max_concurrency: int | None = Field(default=None, ge=1)
    """Calls in flight, cluster-wide; AI3_MAX_CONCURRENCY_PER_PROVIDER when absent."""
    start: int | None = Field(default=None, ge=1)
    """Calls in flight to begin with, from where it is found out how many go well; 20 or `max_concurrency` at most."""
    rpm: int | None = Field(default=None, ge=1)
    """Requests per minute."""
    tpm: int | None = Field(default=None, ge=1)
    """Tokens per minute, both directions in one bucket."""
    itpm: int | None = Field(default=None, ge=1)
    """Input tokens per minute."""
    otpm: int | None = Field(default=None, ge=1)
    """Output tokens per minute."""
    admission: Admission | None = None
    """How it counts calls: `real` tokens, `reserved` by the cap, or `paced` by the second; as its vendor if absent."""
    models: tuple[str, ...] = ()
    """Ids it serves; the registry's models of this provider when empty."""


class Settings(Frozen):
    """Everything a user can set, with the defaults of the contract."""

    home: Path = Path("~/.ai3ray")
    """AI3_HOME: journal, head and logs live here; always absolute."""
    server: str | None = None
    """AI3_SERVER: URL of a server to use instead of the local head."""
    server_key: SecretStr | None = None
    """AI3_SERVER_KEY: the key sent to that server."""
    planner_model: str | None = None
    """AI3_PLANNER_MODEL: the best planner among the configured providers when absent."""
    planner_maxtok: int = Field(default=4096, ge=1)
    """AI3_PLANNER_MAXTOK: cap of the plan, in tokens."""
    planner_temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """AI3_PLANNER_TEMPERATURE: sent only to models that accept it."""
    max_concurrency: int = Field(default=5, ge=1)
    """AI3_MAX_CONCURRENCY: tasks in flight per run."""
    max_runs: int = Field(default=16, ge=1)
    """AI3_MAX_RUNS: active runs per head; more are queued."""
    max_concurrency_per_provider: int = Field(default=3, ge=1)
    """AI3_MAX_CONCURRENCY_PER_PROVIDER: calls in flight per provider, cluster-wide."""
    verify: bool = True
    """AI3_VERIFY: whether answers are judged and their content checked."""
    repair_limit: int = Field(default=1, ge=0)
    """AI3_REPAIR_LIMIT: how often a defect goes back to its author."""
    max_tasks: int = Field(default=20, ge=1)
    """AI3_MAX_TASKS: the most tasks a plan may have."""
    budget_usd: float | None = Field(default=None, gt=0)
    """AI3_BUDGET_USD: the most a run may cost."""
    budget_day_usd: float | None = Field(default=None, gt=0)
    """AI3_BUDGET_DAY_USD: the most that all runs of a head may cost per day (UTC)."""
    head_idle_s: float = Field(default=900.0, gt=0)
    """AI3_HEAD_IDLE_S: seconds without a run after which the local head leaves."""
    local_model: str | None = None
    """AI3_LOCAL_MODEL: path of a GGUF file for the embedded model."""
    api_keys: str | None = Field(default=None, repr=False)
    """AI3_API_KEYS: `NAME:SHA256:SCOPES`, comma separated."""
    key_rpm: int | None = Field(default=None, ge=1)
    """AI3_KEY_RPM: requests per minute of an API key that has no `[keys.NAME]` rpm of its own."""
    key_usd_per_day: float | None = Field(default=None, gt=0)
    """AI3_KEY_USD_PER_DAY: what the runs of such a key may cost per day (UTC), in US dollars."""
    allowed_hosts: str | None = None
    """AI3_ALLOWED_HOSTS: names by which the server may be asked, comma separated; its own address always may."""
    allowed_origins: str | None = None
    """AI3_ALLOWED_ORIGINS: web pages that may ask the server, as `https://name[:port]`, comma separated."""
    keys: dict[str, CallerLimits] = {}
    """`[keys.NAME]` tables by the name of the API key."""
    router_preset: str | None = None
    """AI3_ROUTER_PRESET: what routing goes by: a preset of `router.toml`, which names one itself when absent."""
    runners: int = Field(default=1, ge=1, le=64)
    """AI3_RUNNERS: runner processes of the local head."""
    providers: dict[str, ProviderSettings] = {}
    """`[providers.NAME]` tables by name."""
    models: dict[str, Any] = Field(default={}, repr=False)
    """The merged `models.toml`, as the registry reads it."""
    router: dict[str, Any] = Field(default={}, repr=False)
    """The merged `router.toml`, as the router reads it."""
    explicit: frozenset[str] = frozenset()
    """Names of the fields that the user set, as opposed to defaults."""
    sources: dict[str, str] = Field(default={}, repr=False)
    """Which file set what, such as `models.toml:models.gpt-6-luna`; for messages about it."""

    @field_validator("budget_usd", "budget_day_usd", "head_idle_s", "key_usd_per_day")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("it has to be a finite number")
        return value

    @field_validator("providers")
    @classmethod
    def _nameable(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in value:
            if not _PROVIDER_NAME.fullmatch(name):
                raise ValueError(f"a provider's name is letters, digits, '_', '.' and '-', not {name!r}")
        return value

    def provider_limit(self, name: str) -> int:
        """Calls in flight allowed for this provider, cluster-wide."""
        own = self.providers[name].max_concurrency if name in self.providers else None
        return own or self.max_concurrency_per_provider

    @property
    def journal_path(self) -> Path:
        """The DuckDB file of this home."""
        return self.home / "journal.duckdb"


def load_settings(
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    config: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Everything a user has set, by the order of the contract: flags, environment, `.env`, files, defaults.

    Args:
        env: the environment; the process's own when absent.
        cwd: where `.env`, `ai3.toml`, `models.toml` and `router.toml` are looked for; the working folder when absent.
        config: `--config`, a file that goes before all other `ai3.toml` files.
        flags: values by field name; a None is a flag that was not given.

    Raises:
        SettingsError: in one line, naming the flag, the variable, or the file with its line or key.
    """
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    variables = _variables(env, cwd)
    home = _home(variables, env, cwd)
    tables, sources = _ai3_tables(_config_file(config, variables, cwd), cwd, home)
    values = _file_values(tables, sources) | _env_values(variables) | _flag_values(flags or {})
    values["home"] = _Value(home, "AI3_HOME", explicit="AI3_HOME" in variables)
    if isinstance(given := values.get("local_model", _Value(None, "")).value, str):  # the head works in another folder
        values["local_model"] = values["local_model"]._replace(value=str(_absolute(given, env, cwd)))
    for name in ("models", "router"):
        merged, origins = _merged([folder / f"{name}.toml" for folder in (configs_dir(), home, cwd)])
        values[name] = _Value(merged, f"{name}.toml", explicit=_users(origins))
        sources |= {f"{name}.toml:{key}": path for key, path in origins.items()}
    explicit = frozenset(name for name, value in values.items() if value.explicit)
    try:
        return Settings.model_validate(
            {name: value.value for name, value in values.items()} | {"explicit": explicit, "sources": sources}
        )
    except ValidationError as error:
        # The cause is left out: it would carry the values given, and with them keys.
        raise SettingsError(_explain(error, values, sources)) from None


def merged_env(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> dict[str, str]:
    """The environment, and below it what `.env` in the working folder and then in AI3_HOME adds.

    This is the environment that the head and the runners get, so that a key in `.env` works.

    Raises:
        SettingsError: a `.env` line is broken.
    """
    env = os.environ if env is None else env
    return {name: value.value for name, value in _variables(env, Path.cwd() if cwd is None else cwd).items()}


def provider_url(provider: ProviderSettings, env: Mapping[str, str]) -> str | None:
    """Where a provider listens: its variable, else its table; None for the vendor's own address."""
    return (env.get(provider.base_url_env or "") or "").strip() or provider.base_url


def configured_providers(settings: Settings, env: Mapping[str, str]) -> tuple[str, ...]:
    """The providers that can be called: with a key, with an address of the user's own, or in need of neither.

    The embedded one can be called where its files are installed.
    """
    return tuple(name for name, provider in settings.providers.items() if _is_configured(provider, env, settings))


def local_model(settings: Settings) -> LocalModel:
    """The embedded model's files as these settings have them."""
    return LocalModel(home=settings.home.expanduser(), given=settings.local_model)


def settings_fingerprint(settings: Settings, env: Mapping[str, str], salt: bytes) -> dict[str, Any]:
    """What makes two heads different, without a secret in it: `config` of `head.json`.

    Args:
        settings: of the head, or of the command that looks for one.
        env: as `merged_env` gives it.
        salt: random bytes of this head, at most 64; the same key has another hash in another home.
    """
    providers = settings.providers.items()
    return {
        "keys": {p.api_key_env: _secret_hash(env.get(p.api_key_env), salt) for _, p in providers if p.api_key_env},
        "base_urls": {name: _without_login(provider_url(p, env)) for name, p in providers},
        "providers": {name: p.model_dump(include=_IDENTITY) for name, p in providers},
        "configured": list(configured_providers(settings, env)),
        "limits": {name: _limits(settings, name) for name in settings.providers},
        "settings": settings.model_dump(mode="json", include=_HEAD_FIELDS),
        "tables": _table_hash({"models": settings.models, "router": settings.router}),
    }


_HEAD_FIELDS = {
    "planner_maxtok",
    "planner_temperature",
    "max_runs",
    "budget_day_usd",
    "local_model",
    "router_preset",
    "runners",
}
_IDENTITY = {"wire", "base_url_env", "api_key_env", "models"}
_LIMITS = {"start", "rpm", "tpm", "itpm", "otpm", "admission"}
_OUTSIDE_FILES = frozenset({"home", "models", "router", "explicit", "sources"})
_SECRET = frozenset({"server_key", "api_keys"})
_VARIABLES = {
    f"AI3_{name.upper()}": name for name in Settings.model_fields if name not in _OUTSIDE_FILES | {"providers", "keys"}
}
_FLAGS = {"budget_usd": "--budget", "verify": "--no-verify"}


class _Value(NamedTuple):
    """A value and where it came from, in the user's words."""

    value: Any
    source: str
    explicit: bool = True


def _variables(env: Mapping[str, str], cwd: Path) -> dict[str, _Value]:
    """Every variable with its source: the environment, then `.env` here, then `.env` in AI3_HOME."""
    merged = {name: _Value(value, name) for name, value in env.items()}
    _add_dotenv(merged, cwd / ".env", env)
    _add_dotenv(merged, _home(merged, env, cwd) / ".env", env)
    return merged


def _add_dotenv(merged: dict[str, _Value], path: Path, env: Mapping[str, str]) -> None:
    for name, entry in read_dotenv(path, env).items():
        merged.setdefault(name, _Value(entry.value, f"{entry.source}: {name}"))


def _home(variables: Mapping[str, _Value], env: Mapping[str, str], cwd: Path) -> Path:
    given = variables.get("AI3_HOME")
    return _absolute(given.value if given and given.value.strip() else "~/.ai3ray", env, cwd)


def _absolute(path: str, env: Mapping[str, str], cwd: Path) -> Path:
    """The path with `~` filled in from HOME, seen from the working folder."""
    if env.get("HOME") and (path == "~" or path.startswith("~/")):
        path = env["HOME"] + path[1:]
    return Path(os.path.abspath(cwd / Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow links


def _config_file(config: Path | None, variables: Mapping[str, _Value], cwd: Path) -> Path | None:
    """The file of `--config` or AI3_CONFIG; unlike the others it has to be there."""
    named = variables.get("AI3_CONFIG")
    source, path = ("--config", config) if config else ("AI3_CONFIG", Path(named.value) if named else None)
    if path is None or path == Path():
        return None
    path = cwd / path.expanduser()
    if not path.is_file():
        raise SettingsError(f"{source} is {path}: there is no such file")
    return path


def _ai3_tables(config: Path | None, cwd: Path, home: Path) -> tuple[dict[str, Any], dict[str, str]]:
    files = [folder / "ai3.toml" for folder in (configs_dir(), home, cwd)]
    return _merged([*files, config] if config else files)


def _merged(files: Iterable[Path]) -> tuple[dict[str, Any], dict[str, str]]:
    """The files that exist, later ones over earlier ones, and which of them set what."""
    tables: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for file in files:
        if file.is_file():
            read = read_toml(file)
            tables = merge_tables(tables, read)
            sources |= table_sources(read, file)
    return tables, sources


def _users(sources: Mapping[str, str], *names: str) -> bool:
    """Whether one of these keys (all when none is named) was set in a file that is not ours."""
    ours = str(configs_dir())
    return any(not path.startswith(ours) for name, path in sources.items() if not names or name.split(".")[0] in names)


def _file_values(tables: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, _Value]:
    for key in tables:
        if key == "home":
            raise SettingsError(f"{sources[key]}: home is set by AI3_HOME, not in a file")
        if key in _OUTSIDE_FILES or key not in Settings.model_fields:
            raise SettingsError(f"{sources[key]}: there is no setting {key!r}")
    return {
        key: _Value(value, f"{sources[key]}: {key}", explicit=_users(sources, key)) for key, value in tables.items()
    }


def _env_values(variables: Mapping[str, _Value]) -> dict[str, _Value]:
    """The settings among the variables; an empty one is as good as none."""
    return {
        field: _Value(variables[name].value.strip(), variables[name].source)
        for name, field in _VARIABLES.items()
        if name in variables and variables[name].value.strip()
    }


def _flag_values(flags: Mapping[str, object]) -> dict[str, _Value]:
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if name not in _VARIABLES.values():
            raise SettingsError(f"there is no setting {name!r}")
    return {name: _Value(value, _FLAGS.get(name, f"--{name.replace('_', '-')}")) for name, value in given.items()}


def _explain(error: ValidationError, values: Mapping[str, _Value], sources: Mapping[str, str]) -> str:
    """The first mistake in one line: where it stands, what it is, what it has to be."""
    first = error.errors(include_url=False)[0]
    loc = [str(part) for part in first["loc"]]
    source = values[loc[0]].source
    if loc[0] in ("providers", "keys"):
        table, key = ".".join(loc[:2]), loc[2] if len(loc) > 2 else ""
        file = sources.get(".".join(loc[:3])) or sources.get(table) or sources[loc[0]]
        source = f"{file}: {key} of [{table}]" if key else f"{file}: [{table}]"
        if first["type"] == "extra_forbidden":
            return f"{file}: [{table}] knows no {key!r}"
    if loc[0] in _SECRET or (len(loc) == 1 and isinstance(first["input"], dict)):
        return f"{source}: {_demand(first)}"
    shown = first["input"] if isinstance(first["input"], str) else json.dumps(first["input"], default=str)
    return f"{source} is {shown}: {_demand(first)}"


def _demand(error: Any) -> str:
    """What pydantic wants, in plain words."""
    limits = {
        "greater_than_equal": ("ge", "at least"),
        "greater_than": ("gt", "more than"),
        "less_than_equal": ("le", "at most"),
    }
    if error["type"] in limits:
        bound, words = limits[error["type"]]
        return f"it has to be {words} {error['ctx'][bound]:g}"
    kinds = {
        "int": "a whole number",
        "float": "a number",
        "bool": "on or off",
        "string": "text",
        "tuple": "a list",
        "dict": "a table",
        "model": "a table",
        "literal": "one of " + str(error.get("ctx", {}).get("expected")).replace("'", "").replace(" or ", ", "),
    }
    kind = kinds.get(error["type"].partition("_")[0])
    return f"it has to be {kind}" if kind else str(error["msg"]).removeprefix("Value error, ")


def _is_configured(provider: ProviderSettings, env: Mapping[str, str], settings: Settings) -> bool:
    if provider.wire == "scripted":
        return True
    if provider.wire == "local":
        return local_model(settings).remedy() is None
    if provider.base_url_env and (env.get(provider.base_url_env) or "").strip():
        return True
    if provider.api_key_env:
        return bool((env.get(provider.api_key_env) or "").strip())
    return provider.base_url is not None


def _limits(settings: Settings, name: str) -> dict[str, int | str | None]:
    return {"max_concurrency": settings.provider_limit(name), **settings.providers[name].model_dump(include=_LIMITS)}


def _secret_hash(value: str | None, salt: bytes) -> str | None:
    return hashlib.blake2b(value.encode(), key=salt, digest_size=8).hexdigest() if value else None


def _table_hash(tables: Mapping[str, Any]) -> str:
    text = json.dumps(tables, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _without_login(url: str | None) -> str | None:
    """The URL without the `user:password@` that some gateways want."""
    if url is None or "@" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
