"""The journal: the one durable truth of every run, and its event bus."""
