"""stdin is a prompt when `-` says so; anything else that is piped in is refused, and silence is not."""

import os
import subprocess
import sys

CODE = "from cli.stdin import refuse_piped_context; refuse_piped_context()"


def refused(**options):
    done = subprocess.run([sys.executable, "-c", CODE], stderr=subprocess.PIPE, timeout=30, **options)
    assert done.returncode in (0, 1)
    return b"NotBuilt" in done.stderr


def test_piped_text_is_refused_and_not_ignored(tmp_path):
    reads, writes = os.pipe()
    os.write(writes, b"some context")
    assert refused(stdin=reads)
    os.close(writes)
    file = tmp_path / "context.txt"
    file.write_text("some context")
    with file.open() as stream:
        assert refused(stdin=stream)


def test_nothing_on_stdin_is_no_context(tmp_path):
    assert not refused(stdin=subprocess.DEVNULL)
    empty = tmp_path / "empty"
    empty.touch()
    with empty.open() as stream:
        assert not refused(stdin=stream)
    ended, end = os.pipe()
    os.close(end)
    assert not refused(stdin=ended)


def test_a_silent_pipe_is_not_waited_for():
    """A service may give its children a pipe that never says anything."""
    reads, writes = os.pipe()
    assert not refused(stdin=reads)
    os.close(writes)


def test_a_closed_stdin_is_no_context():
    done = subprocess.run(["sh", "-c", f'exec "{sys.executable}" -c "{CODE}" <&-'], timeout=30)
    assert done.returncode == 0
