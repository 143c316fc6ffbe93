"""The app in this process over a Ray cluster, for Ray jobs."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ai3ray.errors import SettingsError
from ai3ray.executor.configured_models import key_variables
from ai3ray.executor.ray.join import join, leave
from ai3ray.server.in_process import serve_engine
from ai3ray.settings.model import Settings


@asynccontextmanager
async def cluster_server(settings: Settings, env: Mapping[str, str], address: str) -> AsyncIterator[Path]:
    """Serve the cluster's core on a private Unix socket and yield its path.

    Args:
        settings: used if the core has to be created.
        env: this process's environment.
        address: the address of the Ray cluster.

    Raises:
        EngineError: the cluster cannot be reached.
        SettingsError: the job's runtime environment holds a provider key.
    """
    _refuse_keys(settings, env)
    with _own_signals():  # stays in the main thread, since no other may set signal handlers
        engine = join(settings, address)
    try:
        async with serve_engine(engine) as path:
            yield path
    finally:
        await asyncio.to_thread(leave)


def _refuse_keys(settings: Settings, env: Mapping[str, str]) -> None:
    """Raise SettingsError for keys in the runtime environment, which Ray shows in its API and logs."""
    try:
        runtime_env = json.loads(env.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}").get("runtime_env") or {}
    except ValueError:
        return
    brought = sorted(set(key_variables(settings)) & set(runtime_env.get("env_vars") or ()))
    if brought:
        raise SettingsError(
            f"{brought[0]} is set in the job's runtime environment, which Ray shows to anyone: "
            "set it on the cluster's nodes instead, and replace the key"
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Restore our signal handlers, which `ray.init` replaces, so that Ctrl-C still cancels the run."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
