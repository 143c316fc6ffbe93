"""The HTTP API, one Starlette app for every host."""
