"""The names of the ways to make one answer from the outputs of tasks; `ai3ray.assembler` holds their code."""

from __future__ import annotations

from typing import Literal, get_args

Assembly = Literal["concat", "synthesize", "last"]

ASSEMBLIES: tuple[Assembly, ...] = get_args(Assembly)
"""All names, in the order in which models and users read them."""
