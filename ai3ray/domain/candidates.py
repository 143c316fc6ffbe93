"""The models that a routing decision was made among, with the terms of their scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, overload

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer, ValidatorFunctionWrapHandler, WrapValidator


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model in a routing decision, with every term of its score.

    Each decision has one for every model: it is made by those who know what they put into it, and checked
    only when it is read.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    model: str
    """`provider/model`."""
    score: float
    """The sum of the weighted terms; the highest admissible one is taken."""
    terms: dict[str, float]
    """Each weighted term by name."""
    excluded: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """Why it was no candidate."""


class Unlisted(Sequence[Candidate]):
    """The candidates of a decision that nobody has looked at: nearly all are written down, and few ever read.

    Whoever looks finds what `listed` gives.
    """

    __slots__ = ()

    @abstractmethod
    def listed(self) -> tuple[Candidate, ...]:
        """All models: the admissible ones first, best first, then the others with the reason."""

    @abstractmethod
    def text(self) -> str:
        """The same as JSON, without making them: a decision has hundreds of figures, and each lease has a decision."""

    def __len__(self) -> int:
        return len(self.listed())

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.listed())

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, index: int | slice) -> Candidate | tuple[Candidate, ...]:
        return self.listed()[index]


def _as_given(value: object, check: ValidatorFunctionWrapHandler) -> Sequence[Candidate]:
    """Those that come from the router stay unlisted."""
    return value if isinstance(value, Unlisted) else check(value)


Candidates = Annotated[
    Sequence[Candidate],
    AfterValidator(tuple),
    WrapValidator(_as_given),
    PlainSerializer(tuple, return_type=tuple[Candidate, ...]),
]
"""The candidates of an event."""
