"""Serve the simulator over HTTP."""
