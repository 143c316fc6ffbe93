"""What is piped in is read to its end; a pipe that nobody but an ancestor holds is left alone."""

import os
import subprocess
import sys
import time

import pytest

CODE = (
    "import sys; from cli.input import piped_stdin; piped_stdin.SILENCE_S = 0.2\n"
    "print(repr(piped_stdin.read_piped(10, lambda line: print(line, file=sys.stderr))))"
)


def piped(**options):
    """What a process with this stdin reads, and what it says meanwhile."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=30, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def shell(line):
    """The same at the end of a shell's pipeline."""
    done = subprocess.run(["sh", "-c", line, "sh", sys.executable, CODE], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_a_pipe_is_read_to_its_end():
    assert shell('printf abc | "$1" -c "$2"') == ("b'abc'", "")


def test_a_file_is_read(tmp_path):
    file = tmp_path / "context.txt"
    file.write_text("abc")
    with file.open() as stream:
        assert piped(stdin=stream) == ("b'abc'", "")


def test_no_more_is_read_than_can_be_used():
    assert shell('yes | "$1" -c "$2"')[0] == repr(b"y\n" * 5 + b"y")


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells who writes")
def test_a_slow_producer_is_waited_for_and_that_is_said():
    assert shell('{ sleep 1; printf abc; } | "$1" -c "$2"') == ("b'abc'", "waiting for stdin …\n")
    # The producer holds the pipe under another number, as test runners that capture their output do.
    assert shell('{ exec 7>&1 >/dev/null; sleep 1; printf abc >&7; } | "$1" -c "$2"')[0] == "b'abc'"


def test_nothing_on_stdin_is_no_context(tmp_path):
    assert piped(stdin=subprocess.DEVNULL) == ("None", "")
    empty = tmp_path / "empty"
    empty.touch()
    with empty.open() as stream:
        assert piped(stdin=stream) == ("b''", "")
    assert shell('"$1" -c "$2" <&-') == ("None", "")


def test_a_silent_pipe_of_an_ancestor_is_not_waited_for():
    """A CI job or a service may give its children a pipe that never says anything."""
    reads, writes = os.pipe()
    began = time.monotonic()
    read, said = piped(stdin=reads)
    os.close(reads)
    os.close(writes)
    assert (read, said.count("\n")) == ("None", 1)
    assert "going on without it" in said
    assert time.monotonic() - began < 10
