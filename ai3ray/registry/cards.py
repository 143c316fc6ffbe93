"""Model cards: the abilities of models, independent of vendors."""

from __future__ import annotations

from datetime import date
from typing import Literal

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import Kind, Tier

Modality = Literal["text", "image"]


class ModelCard(Frozen):
    """One model of one provider, from `configs/models.toml`."""

    provider: str
    id: str
    tier: Tier = "standard"
    context: int = 128_000
    """Tokens of prompt and answer together."""
    max_output: int = 8192
    inputs: tuple[Modality, ...] = ("text",)
    quality: dict[Kind, float] = {}
    """Prior, 0 to 1."""
    sampling: bool = False
    """Whether it accepts `temperature`; current Claude and GPT models answer 400."""
    structured: bool = True
    """Whether it answers in JSON of a given schema."""
    plans: bool = True
    """Whether it can write a task graph."""
    retired_on: date | None = None
    """The first day on which calls stop."""
    successor: str | None = None
    """The id to use after that day."""
    demo: str | None = None
    """The display name of a demo model, which is called only if named or if nothing else is configured."""
    limit_class: str | None = None
    """Models of one provider with the same class share its limits per minute. When absent, all its models share them;
    at Anthropic, those of one family."""
    listed: bool = True
    """False for a passed-through `provider/anything` without a card."""

    @property
    def name(self) -> str:
        """`provider/model`."""
        return f"{self.provider}/{self.id}"
