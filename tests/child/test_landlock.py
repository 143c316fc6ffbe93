"""The operating system's fence: it holds whatever runs inside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TRY = """
import json, os, socket, sys, threading
from pathlib import Path
from ai3ray.child.landlock import restrict_filesystem

inside, outside, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
restricted = restrict_filesystem([inside, inside / "nowhere"])
tried = {}

def attempt(name, act):
    try:
        act()
        tried[name] = "done"
    except OSError as error:
        tried[name] = type(error).__name__

attempt("read inside", (inside / "file").read_text)
attempt("list inside", lambda: list(inside.iterdir()))
attempt("write inside", lambda: (inside / "file").write_text("x"))
attempt("read outside", (outside / "file").read_text)
attempt("list outside", lambda: list(outside.iterdir()))
attempt("start a program", lambda: os.execv(sys.executable, [sys.executable, "-c", ""]))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", port), 5))
thread = threading.Thread(target=attempt, args=("read outside in a thread", (outside / "file").read_text))
thread.start()
thread.join()
print(json.dumps([restricted, tried]))
"""


def test_behind_the_fence_only_the_folder_can_be_read(tmp_path: Path) -> None:
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    # Whatever listens would do; that nobody does is another error than that nobody may ask.
    command = [sys.executable, "-c", TRY, str(tmp_path / "inside"), str(tmp_path / "outside"), "9"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    restricted, tried = json.loads(done.stdout)
    if not restricted:
        pytest.skip("this system has no Landlock")
    refused = {name for name, outcome in tried.items() if outcome == "PermissionError"}
    assert {name for name, outcome in tried.items() if outcome == "done"} == {"read inside", "list inside"}
    assert refused >= {"write inside", "read outside", "list outside", "start a program", "read outside in a thread"}
    assert tried["connect"] in ("PermissionError", "ConnectionRefusedError")  # the second before Linux 6.7
    assert (tmp_path / "inside" / "file").read_text() == "text"
