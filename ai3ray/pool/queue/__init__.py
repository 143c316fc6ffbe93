"""Lease requests that wait, served fairly across runs."""
