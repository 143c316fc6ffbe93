"""One provider account."""
