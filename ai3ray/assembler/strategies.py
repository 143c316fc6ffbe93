"""The assembly strategies by name."""

from __future__ import annotations

from collections.abc import Mapping

from ai3ray.assembler.concat import CONCAT
from ai3ray.assembler.last import LAST
from ai3ray.assembler.port import Parts, Strategy
from ai3ray.assembler.synthesize import SYNTHESIZE
from ai3ray.domain.assembly import Assembly

STRATEGIES: Mapping[Assembly, Strategy] = {"concat": CONCAT, "synthesize": SYNTHESIZE, "last": LAST}


def assemble_in_code(assembly: Assembly, parts: Parts) -> str | None:
    """Make the answer without a model; return None when the strategy needs one."""
    strategy = STRATEGIES[assembly].assemble(parts)
    try:
        next(strategy)
    except StopIteration as done:
        return str(done.value)
    strategy.close()
    return None
