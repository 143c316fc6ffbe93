"""The one model configuration that everything passed around shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError


class Frozen(BaseModel):
    """A value: immutable, comparable, and unwilling to carry a field nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


def writable(value: BaseModel) -> bool:
    """Whether the value has a JSON form. Half a surrogate pair, which Python's strings may hold, has none."""
    try:
        value.model_dump_json()
    except PydanticSerializationError:
        return False
    return True
