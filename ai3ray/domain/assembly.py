"""The names of the assembly strategies in `ai3ray.assembler`."""

from __future__ import annotations

from typing import Literal, get_args

Assembly = Literal["concat", "synthesize", "last"]

ASSEMBLIES: tuple[Assembly, ...] = get_args(Assembly)
"""In the order in which models and users read them."""
