"""Files and stdin as context: named, text, and of a size that can be sent."""

import io
import subprocess
import sys

import pytest

from ai3ray.errors import UsageError
from cli.input.context_texts import MAX_BYTES, context_texts


def texts(*files, read_stdin=False):
    found = context_texts([str(file) for file in files], read_stdin=read_stdin, notify=print)
    return [(text.name, text.text) for text in found]


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text(name)
    return tmp_path


def test_a_file_is_called_by_its_name_unless_two_have_the_same(folder):
    first, second = folder / "a" / "notes.txt", folder / "b" / "notes.txt"
    assert texts(first) == [("notes.txt", "a")]
    assert texts(first, second, first) == [(str(first), "a"), (str(second), "b")]


def test_a_byte_order_mark_is_no_text_and_an_empty_file_is_one(folder):
    (folder / "bom").write_bytes(b"\xef\xbb\xbfhello")
    (folder / "empty").touch()
    assert texts(folder / "bom", folder / "empty") == [("bom", "hello"), ("empty", "")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04\x00\x00", "is binary"),
        ("text".encode("utf-16"), "is binary"),
        (b"caf\xe9", "byte 3 is not UTF-8"),
        (b"x" * (MAX_BYTES + 1), "is larger than 1 MB"),
    ],
)
def test_what_is_no_text_or_too_much_of_it_is_refused_by_name(folder, content, reason):
    file = folder / "given"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=f"given:? {reason}"):
        texts(file)


def test_a_file_that_cannot_be_read_is_refused_by_name(folder):
    with pytest.raises(UsageError, match=r"nowhere: No such file"):
        texts(folder / "nowhere")
    with pytest.raises(UsageError, match=r"/a: Is a directory"):
        texts(folder / "a")
    with pytest.raises(UsageError, match="null"):
        texts("a\0b")


def test_the_largest_text_is_taken(folder):
    (folder / "large").write_bytes(b"x" * MAX_BYTES)
    assert len(texts(folder / "large")[0][1]) == MAX_BYTES


def test_a_dash_is_stdin_by_name(monkeypatch, folder):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    (folder / "stdin").write_text("a file of that name")
    assert texts("-") == [("stdin", "piped")]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert texts(folder / "stdin", "-") == [(str(folder / "stdin"), "a file of that name"), ("stdin", "piped")]


@pytest.mark.parametrize(("given", "named"), [(b"some log", ["stdin"]), (b"", [])])
def test_what_was_piped_in_is_the_last_context(folder, given, named):
    code = (
        "from cli.input.context_texts import context_texts\n"
        f"print([text.name for text in context_texts([], read_stdin=True, notify=print)] == {named!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, timeout=30)
    assert done.stdout == b"True\n", done.stderr
