"""The journal: the durable event log of all runs, and their event bus."""
