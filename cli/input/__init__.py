"""Reads the command line's arguments, files and stdin."""
