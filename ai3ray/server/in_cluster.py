"""The app in a process of a Ray cluster, such as a job's: what `ai3` talks to there. It starts no head."""

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
    """The app over the cluster's core on a private Unix socket; yields the socket's path.

    Args:
        settings: given to the core when nobody has made it yet.
        env: this process's environment.
        address: of the Ray cluster.

    Raises:
        EngineError: the cluster cannot be reached.
        SettingsError: a key came with the job.
    """
    _refuse_keys(settings, env)
    with _own_signals():  # in this thread, because only the main one may have signal handlers
        engine = join(settings, address)
    try:
        async with serve_engine(engine) as path:
            yield path
    finally:
        await asyncio.to_thread(leave)


def _refuse_keys(settings: Settings, env: Mapping[str, str]) -> None:
    """A job's runtime environment is shown by Ray's APIs and kept in its logs: no place for a key."""
    try:
        runtime_env = json.loads(env.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}").get("runtime_env") or {}
    except ValueError:
        return
    brought = sorted(set(key_variables(settings)) & set(runtime_env.get("env_vars") or ()))
    if brought:
        raise SettingsError(
            f"{brought[0]} came with the job's runtime environment, which Ray shows to whoever asks it: "
            "set it in the environment of the cluster's nodes, and change the key"
        )


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers that are in place: `ray.init` puts its own there, and Ctrl-C would cancel no run."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
