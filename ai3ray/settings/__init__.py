"""Reads the settings, explains mistakes in them, and compares two configurations."""
