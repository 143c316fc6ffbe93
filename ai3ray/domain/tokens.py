"""Estimates of a text's length in tokens."""

CHARS_PER_TOKEN = 4
"""Rule of thumb for English text."""


def estimated_tokens(chars: int) -> int:
    """Estimate the tokens of a text from its characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)
