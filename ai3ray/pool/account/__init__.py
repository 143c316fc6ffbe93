"""One provider account: its limits, breaker and rate classes."""
