"""The outcome of checking an answer."""

from __future__ import annotations

from pydantic import Field

from ai3ray.domain.frozen import Frozen


class Defect(Frozen):
    """One defect of an answer."""

    part: str
    """Where: a section, a field, or `answer` for the whole."""
    problem: str
    """The problem, in words that its author can act on."""


class Verdict(Frozen):
    """The outcome of verifying one answer."""

    passed: bool
    """True if the answer may be committed."""
    score: float = Field(ge=0.0, le=1.0)
    """Quality, 0 to 1; rules give 1 or 0."""
    defects: tuple[Defect, ...] = ()
    by: str = "rules"
    """`rules`, or the judge's `provider/model`."""
