"""Read-only SQL over the journal."""
