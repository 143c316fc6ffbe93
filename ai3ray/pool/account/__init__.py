"""One provider account: its limits, its breaker, its rate classes."""
