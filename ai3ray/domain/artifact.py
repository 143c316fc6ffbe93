"""The content address of an answer."""

from __future__ import annotations

from hashlib import sha256

from ai3ray.domain.plan import OutputFormat

_MEDIA_TYPES: dict[OutputFormat, str] = {
    "text": "text/plain",
    "markdown": "text/markdown",
    "json": "application/json",
    "code": "text/plain",
}


def artifact_id(text: str) -> str:
    """Return `sha256:` and the hex hash of the text's UTF-8 bytes."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def media_type(output: OutputFormat) -> str:
    """Return the media type of an answer in its task's output format."""
    return _MEDIA_TYPES[output]
