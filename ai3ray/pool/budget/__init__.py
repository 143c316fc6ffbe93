"""Budgets: quotes for calls, and the ledger."""
