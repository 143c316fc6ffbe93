"""Having the local head serve on TCP: what `ai3 serve` asks, and what it is told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ai3ray.domain.access import AccessRules
from ai3ray.domain.frozen import Frozen


class ServeRequest(Frozen):
    """Where the head shall serve, and whom."""

    host: str
    """The address to listen on."""
    port: int = Field(ge=1, le=65535)
    """The port to listen on."""
    rules: AccessRules
    """Who may ask."""


class ServeState(Frozen):
    """How the head serves on TCP."""

    status: Literal["off", "starting", "serving", "stopping", "failed"] = "off"
    """`off` and `failed` are the end."""
    url: str | None = None
    """Where, while it serves."""
    message: str | None = None
    """Why it failed."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("off", "failed")
