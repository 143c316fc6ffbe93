"""Runs plans: the conductor (a run), the runner (a task), and what hosts them, inline or on Ray."""
