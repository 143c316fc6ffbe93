"""Convert exceptions to values.

Separate from `domain.call`, which errors import.
"""

from __future__ import annotations

from ai3ray.domain.call import ErrorInfo
from ai3ray.errors import ProviderError


def error_info(error: Exception) -> ErrorInfo:
    """Convert an exception to a value; anything outside our tree is `internal`."""
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ProviderError):
        return ErrorInfo(
            type=error.type,
            message=message,
            provider=error.provider or None,
            model=error.model or None,
            request_id=error.request_id,
            status=error.status,
            code=error.code,
        )
    return ErrorInfo(type=getattr(error, "type", "internal"), message=message)
