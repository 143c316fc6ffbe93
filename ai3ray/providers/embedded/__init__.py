"""The embedded model: a small model on this CPU, for runs without a key."""
