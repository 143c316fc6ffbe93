"""Serving on TCP by the local head."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ai3ray.domain.access import AccessRules
from ai3ray.domain.frozen import Frozen


class ServeRequest(Frozen):
    """An address to serve on, and its access rules."""

    host: str
    port: int = Field(ge=1, le=65535)
    rules: AccessRules


class ServeState(Frozen):
    """The state of serving on TCP."""

    status: Literal["off", "starting", "serving", "stopping", "failed"] = "off"
    """`off` and `failed` are final."""
    url: str | None = None
    """The address, while it serves."""
    message: str | None = None
    """Why it failed."""

    @property
    def over(self) -> bool:
        """True in a final state."""
        return self.status in ("off", "failed")
