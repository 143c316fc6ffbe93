"""Live statistics of model calls, and decaying evidence."""
