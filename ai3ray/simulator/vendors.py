"""The three vendors that are simulated, and whose models are whose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

VendorName = Literal["anthropic", "openai", "xai"]
"""A vendor. Within one, each key is an account with limits of its own."""

VENDORS: tuple[VendorName, ...] = ("anthropic", "openai", "xai")

FAMILIES: dict[VendorName, tuple[str, ...]] = {
    "anthropic": ("claude-",),
    "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4"),
    "xai": ("grok-",),
}
"""How the ids of each vendor's models begin; any id of a family is served."""

_ANY_FAMILY = tuple(start for family in FAMILIES.values() for start in family)


def vendor_of(model: object) -> VendorName:
    """Whose model it is, for requests on a path that does not say."""
    return "xai" if str(model).startswith(FAMILIES["xai"]) else "openai"


def is_served(model: str, vendor: VendorName, prices: Mapping[str, object]) -> bool:
    """Whether a vendor has the model: one of its family, or one of no family that has a price."""
    return model.startswith(FAMILIES[vendor]) or (model in prices and not model.startswith(_ANY_FAMILY))
