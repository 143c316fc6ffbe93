"""Translate every failure of a provider or its connection into one error."""
