"""Reads the command line's words, files and stdin."""
