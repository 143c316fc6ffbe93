"""Load the settings: flags > environment > `.env` > `ai3.toml` files > packaged defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ai3ray.errors import SettingsError
from ai3ray.settings.embedded_files import OFF
from ai3ray.settings.explain import SourcedValue, explain
from ai3ray.settings.files import merge_tables, read_dotenv, read_toml, table_sources
from ai3ray.settings.model import Settings
from ai3ray.settings.packaged import configs_dir


def load_settings(
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    config: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Load all settings: flags, then environment, `.env`, files, defaults.

    Args:
        env: the process's own when absent.
        cwd: the folder of `.env`, `ai3.toml`, `models.toml` and `router.toml`; the working folder when absent.
        config: `--config`, a file that precedes all other `ai3.toml` files.
        flags: values by field name; None for a flag that was not given.

    Raises:
        SettingsError: in one line, naming the flag, the variable, or the file with its line or key.
    """
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    variables = _variables(env, cwd)
    home = _home(variables, env, cwd)
    named = _config_file(config, variables, cwd)
    files = [folder / "ai3.toml" for folder in (configs_dir(), home, cwd)]
    tables, sources = _merged([*files, named] if named else files)
    values = _file_values(tables, sources) | _env_values(variables) | _flag_values(flags or {})
    values["home"] = SourcedValue(home, "AI3_HOME", explicit="AI3_HOME" in variables)
    model = values.get("local_model")
    if model and isinstance(model.value, str) and model.value != OFF:  # absolute: the head works in another folder
        values["local_model"] = model._replace(value=str(_absolute(model.value, env, cwd)))
    for name in ("models", "router"):
        merged, origins = _merged([folder / f"{name}.toml" for folder in (configs_dir(), home, cwd)])
        values[name] = SourcedValue(merged, f"{name}.toml", explicit=_is_user_set(origins))
        sources |= {f"{name}.toml:{key}": path for key, path in origins.items()}
    explicit = frozenset(name for name, value in values.items() if value.explicit)
    try:
        return Settings.model_validate(
            {name: value.value for name, value in values.items()} | {"explicit": explicit, "sources": sources}
        )
    except ValidationError as error:
        # Without its cause, which would carry the given values and so keys.
        raise SettingsError(explain(error, values, sources)) from None


def merged_env(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> dict[str, str]:
    """Return the environment, completed by `.env` in the working folder and then in AI3_HOME.

    The head and the runners get it, so that a key in `.env` works.

    Raises:
        SettingsError: a `.env` line is invalid.
    """
    env = os.environ if env is None else env
    return {name: value.value for name, value in _variables(env, Path.cwd() if cwd is None else cwd).items()}


_OUTSIDE_FILES = frozenset({"home", "models", "router", "explicit", "sources"})
_VARIABLES = {
    f"AI3_{name.upper()}": name for name in Settings.model_fields if name not in _OUTSIDE_FILES | {"providers", "keys"}
}
_FLAGS = {"budget_usd": "--budget", "verify": "--no-verify"}


def _variables(env: Mapping[str, str], cwd: Path) -> dict[str, SourcedValue]:
    """Return every variable from the environment, then `.env` here, then `.env` in AI3_HOME."""
    merged = {name: SourcedValue(value, name) for name, value in env.items()}
    _add_dotenv(merged, cwd / ".env", env)
    _add_dotenv(merged, _home(merged, env, cwd) / ".env", env)
    return merged


def _add_dotenv(merged: dict[str, SourcedValue], path: Path, env: Mapping[str, str]) -> None:
    for name, entry in read_dotenv(path, env).items():
        merged.setdefault(name, SourcedValue(entry.value, f"{entry.source}: {name}"))


def _home(variables: Mapping[str, SourcedValue], env: Mapping[str, str], cwd: Path) -> Path:
    given = variables.get("AI3_HOME")
    return _absolute(given.value if given and given.value.strip() else "~/.ai3ray", env, cwd)


def _absolute(path: str, env: Mapping[str, str], cwd: Path) -> Path:
    """Return the absolute path, with `~` from HOME."""
    if env.get("HOME") and (path == "~" or path.startswith("~/")):
        path = env["HOME"] + path[1:]
    return Path(os.path.abspath(cwd / Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow links


def _config_file(config: Path | None, variables: Mapping[str, SourcedValue], cwd: Path) -> Path | None:
    """Return the file of `--config` or AI3_CONFIG, which must exist, unlike the others."""
    named = variables.get("AI3_CONFIG")
    source, path = ("--config", config) if config else ("AI3_CONFIG", Path(named.value) if named else None)
    if path is None or path == Path():
        return None
    path = cwd / path.expanduser()
    if not path.is_file():
        raise SettingsError(f"{source} is {path}: there is no such file")
    return path


def _merged(files: Iterable[Path]) -> tuple[dict[str, Any], dict[str, str]]:
    """Merge the files that exist, later ones last; return also the file of each key."""
    tables: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for file in files:
        if file.is_file():
            read = read_toml(file)
            tables = merge_tables(tables, read)
            sources |= table_sources(read, file)
    return tables, sources


def _is_user_set(sources: Mapping[str, str], *names: str) -> bool:
    """Return whether a user's file sets one of these keys, or any when none is named."""
    ours = str(configs_dir())
    return any(not path.startswith(ours) for name, path in sources.items() if not names or name.split(".")[0] in names)


def _file_values(tables: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, SourcedValue]:
    for key in tables:
        if key == "home":
            raise SettingsError(f"{sources[key]}: home is set by AI3_HOME, not in a file")
        if key in _OUTSIDE_FILES or key not in Settings.model_fields:
            raise SettingsError(f"{sources[key]}: there is no setting {key!r}")
    return {
        key: SourcedValue(value, f"{sources[key]}: {key}", explicit=_is_user_set(sources, key))
        for key, value in tables.items()
    }


def _env_values(variables: Mapping[str, SourcedValue]) -> dict[str, SourcedValue]:
    """Return the settings among the variables; empty ones are ignored."""
    return {
        field: SourcedValue(variables[name].value.strip(), variables[name].source)
        for name, field in _VARIABLES.items()
        if name in variables and variables[name].value.strip()
    }


def _flag_values(flags: Mapping[str, object]) -> dict[str, SourcedValue]:
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if name not in _VARIABLES.values():
            raise SettingsError(f"there is no setting {name!r}")
    return {name: SourcedValue(value, _FLAGS.get(name, f"--{name.replace('_', '-')}")) for name, value in given.items()}
