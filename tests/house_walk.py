"""Print what a prompt and a lease pass through: `python -m tests.house_walk [FOLDER]`, from the checkout's top folder.

One `ai3 run --inline` against simulated providers is traced. The prompt crosses a file when one of its functions is
called with an argument that holds the prompt; `ProviderPool.lease` is counted by the functions it enters.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

MARK = "zanzibar"
PROMPT = f"Write one sentence about {MARK}."


class Walk:
    """The files that saw the prompt, and the functions that each lease entered."""

    def __init__(self, root: Path) -> None:
        self._places = tuple(str(root / name) for name in ("ai3ray", "cli", "deployments"))
        self.files: dict[str, None] = {}
        self.leases: list[tuple[list[str], list[str]]] = []
        self._lease: FrameType | None = None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame is self._lease:
            self._lease = None
        if event != "call" or not frame.f_code.co_filename.startswith(self._places):
            return
        name = frame.f_code.co_qualname
        if self._lease is not None:
            direct, entered = self.leases[-1]
            entered.append(name)
            if frame.f_back is self._lease:
                direct.append(name)
        elif name == "ProviderPool.lease":
            self._lease = frame
            self.leases.append(([], []))
        if frame.f_code.co_filename not in self.files and holds(frame):
            self.files[frame.f_code.co_filename] = None


def holds(frame: FrameType) -> bool:
    """Return whether an argument of this call holds the prompt."""
    for name in frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]:
        value: Any = frame.f_locals.get(name)
        with contextlib.suppress(Exception):
            if name != "self" and MARK in (value if isinstance(value, str) else repr(value)):
                return True
    return False


def main(root: Path) -> None:
    """Trace one run of the checkout at `root`."""
    with tempfile.TemporaryDirectory() as home, simulator(root) as variables:
        os.environ.update(variables, AI3_HOME=home, AI3_VERIFY="off")
        sys.argv = ["ai3", "run", PROMPT, "--no-plan", "--inline"]
        walk = Walk(root)
        threading.setprofile(walk)
        sys.setprofile(walk)
        try:
            import cli.main

            with contextlib.redirect_stdout(io.StringIO()):
                cli.main.main()
        except SystemExit as ended:
            if ended.code:
                raise
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    files = [str(Path(name).relative_to(root)) for name in walk.files]
    sent = next(number for number, name in enumerate(files, 1) if name.startswith("ai3ray/providers/"))
    print(f"files that a prompt crosses on its way to the SDK: {sent}")
    print(*files[:sent], sep="\n")
    direct, entered = walk.leases[0]
    print(f"ProviderPool.lease calls {', '.join(direct)}")
    print(f"and enters {len(set(entered))} functions in {len(entered)} calls")


@contextlib.contextmanager
def simulator(root: Path) -> Any:
    """Serve simulated providers; yield the variables that lead to them."""
    command = [sys.executable, "-m", "cli", "simulate", "--latency", "0.01", "--seed", "1"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            found: dict[str, str] = {}
            while len(found) < 3:
                line = process.stdout.readline() if process.stdout else ""
                assert line, "the simulator ended"
                found.update(re.findall(r"(\w+_BASE_URL)=(\S+)", line))
            yield {name: url.strip("'\"") for name, url in found.items()}
        finally:
            process.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
