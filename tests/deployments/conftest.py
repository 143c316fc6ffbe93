"""The fixtures of the HTTP API's tests serve its hosts' tests, too."""

from tests.server.conftest import engine, gate, http, short_path

__all__ = ["engine", "gate", "http", "short_path"]
