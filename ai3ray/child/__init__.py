"""Child processes: their environment, their limits, and their end with the parent's."""
