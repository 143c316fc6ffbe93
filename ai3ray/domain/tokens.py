"""The length of a text in tokens, where no provider has counted it."""

CHARS_PER_TOKEN = 4
"""Rule of thumb for English text."""


def estimated_tokens(chars: int) -> int:
    """Estimate the tokens of so many characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)
