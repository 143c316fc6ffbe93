"""The embedded model: a small model on this computer's processor, for runs without a key."""
