"""The one model configuration that everything passed around shares."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError


class Frozen(BaseModel):
    """A value: immutable, comparable, and unwilling to carry a field nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True)

    @classmethod
    def trusted(cls, **fields: Any) -> Self:
        """A value made of fields that are known to be right: they are not checked, and all of them have to be given.

        For what is made by the thousand. Checking takes five times as long as making.
        """
        value = cls.__new__(cls)
        put = object.__setattr__  # the value is not out of our hands yet
        put(value, "__dict__", fields)
        put(value, "__pydantic_fields_set__", set(fields))
        put(value, "__pydantic_extra__", None)
        put(value, "__pydantic_private__", None)
        return value


def writable(value: BaseModel) -> bool:
    """Whether the value has a JSON form. Half a surrogate pair, which Python's strings may hold, has none."""
    try:
        value.model_dump_json()
    except PydanticSerializationError:
        return False
    return True
