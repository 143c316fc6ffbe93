"""The simulated vendors and their models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

VendorName = Literal["anthropic", "openai", "xai"]

VENDORS: tuple[VendorName, ...] = ("anthropic", "openai", "xai")

FAMILIES: dict[VendorName, tuple[str, ...]] = {
    "anthropic": ("claude-",),
    "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4"),
    "xai": ("grok-",),
}
"""Prefixes of each vendor's model ids; any id with one of them is served."""

_ANY_FAMILY = tuple(start for family in FAMILIES.values() for start in family)


def vendor_of(model: object) -> VendorName:
    """Return a model's vendor, for paths that name none."""
    return "xai" if str(model).startswith(FAMILIES["xai"]) else "openai"


def is_served(model: str, vendor: VendorName, prices: Mapping[str, object]) -> bool:
    """Return whether a vendor serves the model: one of its family, or a priced one of no family."""
    return model.startswith(FAMILIES[vendor]) or (model in prices and not model.startswith(_ANY_FAMILY))
