"""Waiting lease requests, served fairly across runs."""
