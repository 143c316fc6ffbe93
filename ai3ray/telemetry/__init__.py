"""Live statistics of model calls."""
