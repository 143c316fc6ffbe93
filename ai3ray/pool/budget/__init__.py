"""Budgets: what a call will cost, what may be spent, what has been spent."""
