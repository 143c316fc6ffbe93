"""What is piped in is read to its end; a pipe that stays silent is not waited for without a person who sees it."""

import os
import pty
import subprocess
import sys
import time

CODE = (
    "import sys; from cli.input import piped_stdin\n"
    "piped_stdin.NOTICE_S, piped_stdin.WAIT_S = 0.2, float(sys.argv[1])\n"
    "print(repr(piped_stdin.read_piped(10, lambda line: print(line, file=sys.stderr))))"
)


def piped(wait_s=20.0, **options):
    """What a process with this stdin reads, and what it says meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(wait_s)], capture_output=True, text=True, timeout=30, **options
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def shell(line):
    """The same at the end of a shell's pipeline."""
    done = subprocess.run(["sh", "-c", line, "sh", sys.executable, CODE], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_a_pipe_is_read_to_its_end():
    assert shell('printf abc | "$1" -c "$2" 20') == ("b'abc'", "")


def test_a_file_is_read(tmp_path):
    file = tmp_path / "context.txt"
    file.write_text("abc")
    with file.open() as stream:
        assert piped(stdin=stream) == ("b'abc'", "")


def test_no_more_is_read_than_can_be_used():
    assert shell('yes | "$1" -c "$2" 20')[0] == repr(b"y\n" * 5 + b"y")


def test_a_slow_producer_is_waited_for_and_that_is_said():
    assert shell('{ sleep 1; printf abc; } | "$1" -c "$2" 20') == ("b'abc'", "waiting for stdin …\n")
    # The producer holds the pipe under another number, as test runners that capture their output do.
    assert shell('{ exec 7>&1 >/dev/null; sleep 1; printf abc >&7; } | "$1" -c "$2" 20')[0] == "b'abc'"


def test_nothing_on_stdin_is_no_context(tmp_path):
    assert piped(stdin=subprocess.DEVNULL) == ("None", "")
    empty = tmp_path / "empty"
    empty.touch()
    with empty.open() as stream:
        assert piped(stdin=stream) == ("b''", "")
    assert shell('"$1" -c "$2" 20 <&-') == ("None", "")


def test_a_silent_pipe_is_waited_for_as_long_as_a_person_sees_it():
    reads, writes = os.pipe()
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "0.4"], stdin=reads, stdout=subprocess.PIPE, stderr=terminal, text=True
    )
    said = b""
    while b"\n" not in said:
        said += os.read(screen, 99)
    assert said.decode() == "waiting for stdin …\r\n"
    time.sleep(0.5)  # longer than a pipe is waited for without a terminal
    os.write(writes, b"abc")
    for descriptor in (reads, writes, terminal):
        os.close(descriptor)
    assert process.communicate(timeout=30)[0].strip() == "b'abc'"
    os.close(screen)


def test_a_silent_pipe_of_an_ancestor_is_not_waited_for():
    """A CI job or a service may give its children a pipe that never says anything."""
    reads, writes = os.pipe()
    began = time.monotonic()
    read, said = piped(0.4, stdin=reads)
    os.close(reads)
    os.close(writes)
    assert (read, said.count("\n")) == ("None", 2)
    assert "going on without it" in said
    assert time.monotonic() - began < 10
