"""The values and rules of ai3ray: plans, calls, leases, runs, events, verdicts. Frozen models, no I/O."""
