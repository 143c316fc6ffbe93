"""Budgets: quotes for calls, and a ledger of what may be spent and what has been."""
