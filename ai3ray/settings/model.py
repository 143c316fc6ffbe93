"""The settings: everything a user can set, with its default."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from ai3ray.domain.access import CallerLimits
from ai3ray.domain.frozen import Frozen

Wire = Literal["anthropic", "openai", "local", "scripted"]
Admission = Literal["real", "reserved", "paced"]
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ProviderSettings(Frozen):
    """One provider account, from `[providers.NAME]`."""

    wire: Wire = "openai"
    """The protocol: `anthropic` Messages or `openai` Chat Completions."""
    base_url: str | None = None
    """The vendor's own address when absent."""
    base_url_env: str | None = None
    """Variable that overrides `base_url`."""
    api_key_env: str | None = None
    """Variable of the key; without one the provider needs no key."""
    max_concurrency: int | None = Field(default=None, ge=1)
    """Calls in flight, cluster-wide; AI3_MAX_CONCURRENCY_PER_PROVIDER when absent."""
    start: int | None = Field(default=None, ge=1)
    """Calls in flight before the pool adapts; 20 when absent, and never above `max_concurrency`."""
    rpm: int | None = Field(default=None, ge=1)
    tpm: int | None = Field(default=None, ge=1)
    """Tokens per minute, both directions in one bucket."""
    itpm: int | None = Field(default=None, ge=1)
    otpm: int | None = Field(default=None, ge=1)
    admission: Admission | None = None
    """Counting of calls: `real` tokens, `reserved` by the cap, or `paced` by the second; the vendor's when absent."""
    models: tuple[str, ...] = ()
    """Ids it serves; the registry's models of this provider when empty."""


class Settings(Frozen):
    """All settings; a field's variable is `AI3_` and its name in capitals."""

    home: Path = Path("~/.ai3ray")
    """Folder of journal, head and logs; always absolute."""
    server: str | None = None
    """URL of a server to use instead of the local head."""
    server_key: SecretStr | None = None
    planner_model: str | None = None
    """The best configured planner when absent."""
    planner_maxtok: int = Field(default=4096, ge=1)
    """Cap of the plan, in tokens."""
    planner_temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    """Sent only to models that accept it."""
    max_concurrency: int = Field(default=5, ge=1)
    """Tasks in flight per run."""
    max_runs: int = Field(default=16, ge=1)
    """Active runs per head; more are queued."""
    max_concurrency_per_provider: int = Field(default=3, ge=1)
    """Calls in flight per provider, cluster-wide."""
    verify: bool = True
    """Whether answers are judged and their content is checked."""
    repair_limit: int = Field(default=1, ge=0)
    """How many times defects go back to their author."""
    max_tasks: int = Field(default=20, ge=1)
    """The most tasks of a plan."""
    budget_usd: float | None = Field(default=None, gt=0)
    """The most a run may cost."""
    budget_day_usd: float | None = Field(default=None, gt=0)
    """The most that all runs of a head may cost per day (UTC)."""
    head_idle_s: float = Field(default=900.0, gt=0)
    """Seconds without a run after which the local head stops."""
    local_model: str | None = None
    """Path of a GGUF file for the embedded model."""
    api_keys: str | None = Field(default=None, repr=False)
    """`NAME:SHA256:SCOPES`, comma separated."""
    key_rpm: int | None = Field(default=None, ge=1)
    """Requests per minute of an API key without its own rpm."""
    key_usd_per_day: float | None = Field(default=None, gt=0)
    """US dollars that the runs of such a key may cost per day (UTC)."""
    allowed_hosts: str | None = None
    """Host names, comma separated, that clients may use beside the server's own."""
    allowed_origins: str | None = None
    """Web origins that may call the server, `https://name[:port]`, comma separated."""
    keys: dict[str, CallerLimits] = {}
    """The `[keys.NAME]` tables, by API key's name."""
    router_preset: str | None = None
    """A preset of `router.toml`; the file's default when absent."""
    runners: int = Field(default=1, ge=1, le=64)
    """Runner processes of the local head."""
    providers: dict[str, ProviderSettings] = {}
    models: dict[str, Any] = Field(default={}, repr=False)
    router: dict[str, Any] = Field(default={}, repr=False)
    explicit: frozenset[str] = frozenset()
    """The fields that the user set."""
    sources: dict[str, str] = Field(default={}, repr=False)
    """The file of each setting, such as `models.toml:models.gpt-6-luna`, for messages."""

    @field_validator("budget_usd", "budget_day_usd", "head_idle_s", "key_usd_per_day")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("it has to be a finite number")
        return value

    @field_validator("providers")
    @classmethod
    def _names_are_valid(cls, value: dict[str, ProviderSettings]) -> dict[str, ProviderSettings]:
        for name in value:
            if not _PROVIDER_NAME.fullmatch(name):
                raise ValueError(f"a provider's name is letters, digits, '_', '.' and '-', not {name!r}")
        return value

    def provider_limit(self, name: str) -> int:
        """Return the calls in flight that this provider allows, cluster-wide."""
        own = self.providers[name].max_concurrency if name in self.providers else None
        return own or self.max_concurrency_per_provider

    @property
    def journal_path(self) -> Path:
        """The DuckDB file of this home."""
        return self.home / "journal.duckdb"
