"""The app on Ray Serve: `serve run deployments.serve:app`, `serve run configs/serve.yaml`, `ai3 serve`.

A replica holds no state. Runs live in the core, an actor in the namespace `ai3` that outlives replicas, their updates
and the requests that started the runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import serve
from ray.serve.schema import LoggingConfig
from starlette.applications import Starlette

from ai3ray.domain.access import AccessRules
from ai3ray.executor.ray.actor_errors import result_of
from ai3ray.executor.ray.actors import create_core
from ai3ray.executor.ray.engine import RayEngine
from ai3ray.executor.ray.patches import close_internal_port
from ai3ray.server.access.keys import Access
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.settings.access_rules import access_rules
from ai3ray.settings.model import Settings

from .ray_serve.home_checks import node_settings, prepare, serve_host

if TYPE_CHECKING:
    from ray.serve import Application

MAX_ONGOING = 1000
"""Requests in one replica. A stream counts as long as its run; Serve's own default is 5."""
MAX_QUEUED = 200
"""Requests that wait for a replica; more get status 503."""
GRACE_S = 30.0
"""Seconds that a replaced replica continues its requests, ten times a client's reconnecting."""
QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)


class Api:
    """One replica: the app over the core of this cluster.

    Args:
        settings: for a core that does not exist yet; the node's own when absent.
        rules: who may call; derived from the settings and Serve's address when absent.
    """

    _engine: RayEngine
    _rules: AccessRules

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, settings: Settings | None, rules: AccessRules | None
    ) -> None:
        close_internal_port()
        settings = settings or node_settings()
        self._rules = rules or access_rules(settings, serve_host())
        core = create_core(_for_ray(settings), detached=True)
        await result_of(core.claim.remote(settings.home))
        self._engine = RayEngine(core)

    def __serve_build_asgi_app__(self) -> Starlette:
        """Build the app in the replica's event loop, where Serve calls this."""
        return build_app(EngineGate(self._engine), access=Access(self._rules))


def application(
    settings: Settings | None, rules: AccessRules | None, *, grace_s: float = GRACE_S, replicas: int = 1
) -> Application:
    """Return the app as Serve deploys it."""
    deployment: Any = serve.deployment(
        name="api",
        num_replicas=replicas,
        max_ongoing_requests=MAX_ONGOING,
        max_queued_requests=MAX_QUEUED,
        graceful_shutdown_timeout_s=grace_s,
        ray_actor_options={"num_cpus": 0},
        logging_config=QUIET,
    )(serve.ingress()(Api))
    bound: Application = deployment.bind(settings and _for_ray(settings), rules)
    return bound


def _for_ray(settings: Settings) -> Settings:
    """Remove secrets and access rules, because Ray shows a deployment's settings to everyone with its token."""
    return settings.model_copy(update={"server_key": None, "api_keys": None})


def __getattr__(name: str) -> Application:
    """Make `app` at first use, not on import."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return application(*prepare())
