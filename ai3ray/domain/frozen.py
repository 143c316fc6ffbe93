"""The base of all values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError


class Frozen(BaseModel):
    """An immutable value that refuses undeclared fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)


def writable(value: BaseModel) -> bool:
    """Return True if the value has a JSON form; lone surrogates have none."""
    try:
        value.model_dump_json()
    except PydanticSerializationError:
        return False
    return True
