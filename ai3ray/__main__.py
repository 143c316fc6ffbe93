"""`python -m ai3ray` is `ai3`."""

from __future__ import annotations

from ai3ray.entry import ai3

if __name__ == "__main__":
    ai3()
