"""What a check says of an answer."""

from __future__ import annotations

from pydantic import Field

from ai3ray.domain.frozen import Frozen


class Defect(Frozen):
    """One thing that is wrong with an answer."""

    part: str
    """Where: a section, a field, or `answer` for the whole."""
    problem: str
    """What, in words that its author can act on."""


class Verdict(Frozen):
    """The outcome of verifying one answer."""

    passed: bool
    """Whether the answer may be committed."""
    score: float = Field(ge=0.0, le=1.0)
    """How good it is, 0 to 1; rules give 1 or 0."""
    defects: tuple[Defect, ...] = ()
    """What is wrong, empty when nothing is."""
    by: str = "rules"
    """`rules`, or the judge's `provider/model`."""
