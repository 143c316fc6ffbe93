"""Ray Serve on the head's own Ray, for `ai3 serve`."""

from __future__ import annotations

from ai3ray.domain.serving import ServeRequest
from ai3ray.settings.model import Settings

GRACE_S = 2.0
"""Seconds that open requests get at the end; a client that follows a run can reconnect to the head."""


class RayServeServer:
    """A `TcpServer` on Ray Serve."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, request: ServeRequest) -> str:
        """Start Serve and the app, blocking, and return the URL."""
        from ray import serve

        from ..serve import QUIET, application

        http = {"host": request.host, "port": request.port}
        serve.start(proxy_location="HeadOnly", http_options=http, logging_config=QUIET)
        serve.run(application(self._settings, request.rules, grace_s=GRACE_S), name="ai3", route_prefix="/")
        return f"http://{f'[{request.host}]' if ':' in request.host else request.host}:{request.port}"

    def close(self) -> None:
        """Remove Serve with all its actors, blocking."""
        from ray import serve

        serve.shutdown()  # type: ignore[no-untyped-call]
