"""Model cards: what a model can do, in no vendor's words."""

from __future__ import annotations

from datetime import date
from typing import Literal

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import Kind, Tier

Modality = Literal["text", "image"]


class ModelCard(Frozen):
    """One model of one provider, from `configs/models.toml`."""

    provider: str
    """The provider's name in the configuration."""
    id: str
    """The id that the provider knows it by."""
    tier: Tier = "standard"
    """How strong it is."""
    context: int = 128_000
    """Tokens that prompt and answer may have together."""
    max_output: int = 8192
    """The most tokens of an answer."""
    inputs: tuple[Modality, ...] = ("text",)
    """What it reads."""
    quality: dict[Kind, float] = {}
    """Prior of its quality per kind of task, 0 to 1."""
    sampling: bool = False
    """Whether it accepts `temperature`; current Claude and GPT models answer 400."""
    structured: bool = True
    """Whether it answers in JSON of a given schema."""
    plans: bool = True
    """Whether it can write a task graph."""
    retired_on: date | None = None
    """From this day on it is not called."""
    successor: str | None = None
    """The id to use instead."""
    demo: str | None = None
    """What people call it, if it is a demo model: called only when it is named or nothing else is configured, and
    said to be one wherever it wrote something."""
    limit_class: str | None = None
    """Models of one provider with the same class share its limits per minute; those of one family do at Anthropic,
    all models elsewhere, when absent."""
    listed: bool = True
    """False for a passed-through `provider/anything`, about which nothing is known."""

    @property
    def name(self) -> str:
        """`provider/model`: how every event, row and flag names it."""
        return f"{self.provider}/{self.id}"
