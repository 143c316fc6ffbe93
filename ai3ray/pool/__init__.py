"""The provider pool: limits, leases, breaker and ledger, pure and synchronous."""
