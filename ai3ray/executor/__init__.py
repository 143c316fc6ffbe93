"""Runs plans: a conductor per run, runners for tasks."""
