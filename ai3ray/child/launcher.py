"""Start a module of this package as a child process, and end it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Self

from ai3ray.child.lifetime import PARENT_VARIABLE

_INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHOME",
    "PYTHONPYCACHEPREFIX",
    "SYSTEMROOT",
)
_ROOT = Path(__file__).parents[2]
_LINE_BYTES = 64 << 10


class ChildProcess:
    """A running child with pipes for its standard input and output; make it with `start`."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self.stdin: StreamWriter = process.stdin
        self.stdout: StreamReader = process.stdout

    @classmethod
    async def start(
        cls,
        module: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        python_path: Iterable[str | Path] = (),
        stderr: int | IO[bytes] = DEVNULL,
        line_bytes: int = _LINE_BYTES,
    ) -> Self:
        """Run `python -P -m MODULE ARGUMENTS` in the folder `/`.

        Args:
            module: a module that calls `exit_with_parent` first of all.
            arguments: no secrets; other users of the machine can read them.
            variables: further environment variables.
            python_path: folders searched for modules after this package's.
            stderr: a file, or a constant of `asyncio.subprocess`.
            line_bytes: the longest line of output.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *arguments),
            env=child_environment(variables, python_path),
            cwd="/",
            stdin=PIPE,
            stdout=PIPE,
            stderr=stderr,
            limit=line_bytes,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._process.returncode

    async def communicate(self, data: bytes) -> bytes:
        """Send all of its input and return all of its output."""
        output, _ = await self._process.communicate(data)
        return output

    async def wait(self) -> int:
        """Return the exit status once the process has ended."""
        return await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """End its input and send SIGTERM; after `grace_s` seconds, SIGKILL. Return once the process has ended."""
        self.stdin.close()
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await self.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL and return once the process has ended."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self.wait()


@asynccontextmanager
async def child_process(
    module: str,
    *,
    variables: Mapping[str, str] | None = None,
    python_path: Iterable[str | Path] = (),
    line_bytes: int = _LINE_BYTES,
) -> AsyncIterator[ChildProcess]:
    """Run a child without arguments inside the block, and kill it at the end."""
    child = await ChildProcess.start(module, variables=variables, python_path=python_path, line_bytes=line_bytes)
    try:
        yield child
    finally:
        await child.kill()


def child_environment(
    variables: Mapping[str, str] | None = None, python_path: Iterable[str | Path] = ()
) -> dict[str, str]:
    """Return a child's environment: the variables that Python needs, and never a key."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = dict.fromkeys(str(Path(folder).absolute()) for folder in (_ROOT, *python_path))
    own = {"PYTHONPATH": os.pathsep.join(path), PARENT_VARIABLE: str(os.getpid())}
    return inherited | dict(variables or {}) | own
