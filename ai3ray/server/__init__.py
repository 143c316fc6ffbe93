"""The HTTP API: one Starlette app, whatever hosts it."""
