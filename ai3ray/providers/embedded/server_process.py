"""Start, restart and stop the embedded model's process."""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ai3ray.child.launcher import ChildProcess
from ai3ray.errors import ConnectFailed, ModelGone, SettingsError
from ai3ray.settings.embedded_files import EmbeddedModelFiles

START_S = 60.0
"""Time to load the model; an idle machine takes one second."""
STOP_S = 2.0
EXIT_NOTICE_S = 0.5
MAX_THREADS = 8
"""The model is so small that more threads only wait for each other."""
LOG = "local-model.log"

_MODULE = "ai3ray.providers.embedded.model_server"
_RUNTIME_SETTINGS = ("GGML_", "OMP_", "GOMP_", "KMP_")
"""Variables of the runtime and its thread libraries begin with these."""


class ServerProcess:
    """The process of one embedded model."""

    def __init__(self, files: EmbeddedModelFiles) -> None:
        self._files = files
        self._process: ChildProcess | None = None
        self.key = secrets.token_hex(16)
        self.url = ""

    @property
    def alive(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.exit_code is None

    async def start(self) -> None:
        """Start the process and wait until it listens.

        Raises:
            ModelGone: a file, a library or the processor is unsuitable; the message has the remedy.
            ConnectFailed: it did not start, for a reason that may pass.
        """
        await self.stop()
        try:
            weights, runtime = await asyncio.to_thread(self._find_files)
        except (SettingsError, OSError) as error:
            raise ModelGone(str(error)) from error
        self._process = await self._spawn(weights, runtime)
        try:
            async with asyncio.timeout(START_S):
                self.url = await self._read_url(self._process)
        except TimeoutError as error:
            await self.stop()
            raise ConnectFailed(f"the embedded model did not load within {START_S:.0f} s") from error
        except BaseException:
            await self.stop()
            raise

    async def wait_for_exit(self) -> None:
        """Wait a moment for a process that may have died with a broken connection."""
        if self._process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(EXIT_NOTICE_S):
                    await self._process.wait()

    async def stop(self) -> None:
        """End the process and wait until it has ended."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop(STOP_S)

    def _find_files(self) -> tuple[Path, Path]:
        runtime = self._files.runtime()
        if runtime is None:
            raise SettingsError(f"the embedded model is not installed: {self._files.remedy()}", "local_model")
        return self._files.weights().absolute(), runtime.absolute()

    async def _spawn(self, weights: Path, runtime: Path) -> ChildProcess:
        """Start the process; its key goes through the pipe, since others may read arguments and environment."""
        self._files.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        threads = max(1, usable_cores() - 1)
        with (self._files.home / LOG).open("wb") as log:
            process = await ChildProcess.start(
                _MODULE,
                *(str(weights), str(runtime), str(min(threads, MAX_THREADS))),
                variables=_runtime_settings(os.environ),
                python_path=filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)),
                stderr=log,
            )
        process.stdin.write(f"{self.key}\n".encode())
        return process

    async def _read_url(self, process: ChildProcess) -> str:
        """Return the URL that the process reports. Raises like `start`."""
        async for line in process.stdout:
            report = _json(line)
            if "error" in report:
                raise ModelGone(f"the embedded model cannot run: {report['error']}")
            if "url" in report:
                return f"{report['url']}/v1"
        code = await process.wait()
        if code == -signal.SIGILL:
            raise ModelGone("the embedded model cannot run on this processor: it lacks AVX2")
        reason = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
        raise ConnectFailed(f"the embedded model did not start: {reason} (see {self._files.home / LOG})")


def usable_cores() -> int:
    """Return the number of processors that affinity and the container's quota allow this process."""
    bound = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(bound, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control groups, or `max`: no quota
        return bound


def _runtime_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the runtime's own variables; a waiting thread must not spin on a processor that others need."""
    return {name: value for name, value in env.items() if name.startswith(_RUNTIME_SETTINGS)} | {"GOMP_SPINCOUNT": "0"}


def _json(line: bytes) -> dict[str, Any]:
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}
