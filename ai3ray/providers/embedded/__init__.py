"""The embedded model, for runs without a key."""
