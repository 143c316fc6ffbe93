"""`ai3 simulate`: providers that cost nothing."""

from __future__ import annotations


def simulate() -> None:
    """Later."""
