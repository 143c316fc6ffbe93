"""What ai3ray talks about: plans, calls, runs, events, verdicts. Frozen models and pure rules, no I/O."""
