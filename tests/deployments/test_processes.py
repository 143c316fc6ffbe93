"""Looking at processes and ending what nobody owns."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from deployments.processes import ended, kill_orphaned_group, processes

SLEEP = "import time; time.sleep(60)"


def test_the_table_has_this_process_with_parent_group_and_command():
    mine = next(process for process in processes() if process.pid == os.getpid())
    assert (mine.parent, mine.group) == (os.getppid(), os.getpgid(0))
    assert "pytest" in mine.command


async def test_ended_returns_when_a_process_ends_also_while_nobody_has_collected_it():
    child = subprocess.Popen([sys.executable, "-c", SLEEP])  # noqa: ASYNC220 - a child that asyncio does not collect
    waiting = asyncio.create_task(ended(child.pid))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    os.kill(child.pid, signal.SIGKILL)
    await asyncio.wait_for(waiting, 5)
    await asyncio.to_thread(child.wait)
    await asyncio.wait_for(ended(child.pid), 5)


def test_a_group_is_killed_only_if_a_member_names_our_folder():
    with subprocess.Popen([sys.executable, "-c", SLEEP, "/our/folder"], start_new_session=True) as child:
        assert not kill_orphaned_group(child.pid, "/another/folder")
        assert child.poll() is None
        assert kill_orphaned_group(child.pid, "/our/folder")
        assert child.wait(5) == -signal.SIGKILL
    assert not kill_orphaned_group(child.pid, "/our/folder")
