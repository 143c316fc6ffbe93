"""The provider pool: limits, leases, breaker, ledger. Pure and synchronous; clock and randomness are injected."""
