"""Serves the simulator over HTTP."""
