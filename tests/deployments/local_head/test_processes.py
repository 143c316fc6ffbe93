"""Looking at processes and ending what nobody owns."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.local_head.processes import kill_orphaned_group, processes, wait_for_exit

SLEEP = "import time; time.sleep(60)"


def test_the_table_has_this_process_with_parent_group_and_command():
    mine = next(process for process in processes() if process.pid == os.getpid())
    assert (mine.parent, mine.group) == (os.getppid(), os.getpgid(0))
    assert "python" in mine.command


async def test_ended_returns_when_a_process_ends_also_while_nobody_has_collected_it():
    child = subprocess.Popen([sys.executable, "-c", SLEEP])
    waiting = asyncio.create_task(wait_for_exit(child.pid))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.wait_for(waiting, 5)
    await asyncio.to_thread(child.wait)
    await asyncio.wait_for(wait_for_exit(child.pid), 5)


@pytest.mark.parametrize("how", ["named", "working folder"])
def test_a_group_is_killed_only_if_a_member_belongs_to_one_of_our_folders(tmp_path, how):
    # Its command line is there only once it runs: exec fills it in late.
    named = [str(tmp_path)] if how == "named" else []
    command = [sys.executable, "-c", "print(flush=True); " + SLEEP, *named]
    folder = tmp_path if how == "working folder" else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, cwd=folder) as child:
        try:
            child.stdout.readline()
            assert not kill_orphaned_group(child.pid, Path("/another/folder"))
            assert child.poll() is None
            assert kill_orphaned_group(child.pid, Path("/another/folder"), tmp_path)
            assert child.wait(5) == -signal.SIGKILL
        finally:
            child.kill()
    assert not kill_orphaned_group(child.pid, tmp_path)
