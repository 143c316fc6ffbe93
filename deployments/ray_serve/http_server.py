"""Ray Serve on the head's own Ray: what `ai3 serve` opens."""

from __future__ import annotations

from ai3ray.domain.serving import ServeRequest
from ai3ray.settings.model import Settings

GRACE_S = 2.0
"""Seconds that open requests get when it closes: whoever follows a run can come back to the head."""


class RayServeServer:
    """Implements `TcpServer`.

    Args:
        settings: the head's.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open(self, request: ServeRequest) -> str:
        """Start Serve and the app on it; see `TcpServer.open`."""
        from ray import serve

        from ..serve import QUIET, application

        http = {"host": request.host, "port": request.port}
        serve.start(proxy_location="HeadOnly", http_options=http, logging_config=QUIET)
        serve.run(application(self._settings, request.rules, grace_s=GRACE_S), name="ai3", route_prefix="/")
        return f"http://{f'[{request.host}]' if ':' in request.host else request.host}:{request.port}"

    def close(self) -> None:
        """Remove Serve with all its actors; see `TcpServer.close`."""
        from ray import serve

        serve.shutdown()  # type: ignore[no-untyped-call]
