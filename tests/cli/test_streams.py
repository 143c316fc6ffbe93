"""Streams carry text, whoever wrote it and whoever reads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai3ray.report.format import one_line, visible


def test_escapes_of_a_model_are_shown_and_do_nothing():
    shown = visible("a\x1b]0;owned\x07b\x1b[2Jc\x9bd\x7fe")
    assert shown == "a␛]0;owned␇b␛[2Jc\ufffdd␡e"


def test_line_breaks_and_tabs_stay_and_carriage_returns_cannot_overwrite():
    assert visible("a\r\nb\tc\rd\n") == "a\nb\tc␍d\n"


def test_one_line_is_one_line():
    assert one_line(" a\n\n b\tc\u2028d ") == "a b c d"


def spoken(code, **options):
    """Run Python code that uses the streams in a process of its own."""
    return subprocess.run([sys.executable, "-c", code], timeout=30, **options)


def test_a_reader_that_leaves_is_no_error():
    reads, writes = os.pipe()
    os.close(reads)
    code = "from cli.streams import write_stdout; write_stdout('x' * 100_000); write_stdout('more')"
    done = spoken(code, stdout=writes, stderr=subprocess.PIPE)
    os.close(writes)
    assert (done.returncode, done.stderr) == (0, b"")


def test_streams_that_are_closed_are_no_error():
    code = "import sys\nfrom cli.streams import print_stderr, write_stdout\nwrite_stdout('x'); print_stderr('y')"
    done = subprocess.run(["sh", "-c", f'exec "{sys.executable}" -c "{code}" >&- 2>&-'], timeout=30)
    assert done.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error():
    with Path("/dev/full").open("w") as full:
        done = spoken("from cli.streams import write_stdout; write_stdout('x')", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode != 0
    assert b"No space left" in done.stderr


def test_what_is_piped_is_utf_8_whatever_the_locale_says():
    code = "from cli.streams import configure_streams, write_stdout; configure_streams(); write_stdout('é\\ud800')"
    done = spoken(code, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.stdout == "é?".encode()
