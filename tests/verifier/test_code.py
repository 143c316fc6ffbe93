"""Code is compiled, never run."""

import pickle

import pytest

from ai3ray.verifier.code import check_code

FINE = [
    ("```python\nx = 1\n```", ""),
    ("```py\nasync def f():\n    await g()\n```", ""),
    ("```python\nawait g()\n```", ""),
    ("```python\n    indented = 1\n    as_a_whole = 2\n```", ""),
    ("```python\n>>> 1 +\n```", ""),
    ("```python\n%pip install ray\n```", ""),
    ('```python\npath = "\\d"\n```', ""),
    ("x = 1", "python"),
    ("this is not python", ""),
    ("```rust\nfn main() {\n```", "python"),
    ('```json\n{"a": 1}\n```', ""),
    ("Text\n```python\nx = 1\n```\nmore text, no code: (((", "python"),
    ("", "python"),
]
BROKEN = [
    ("```python\ndef f(:\n```", "", "code", "line 1"),
    ("```python3\nx = 1\ny = = 2\n```", "", "code", "line 2"),
    ('print "hello"', "python", "code", "line 1"),
    ("```\ndef f(:\n```", "Python", "code", "line 1"),
    ("```python\nx = 1\n```\n```python\nreturn\n```", "", "code block 2", "return"),
    ("```python\nx = '\0'\n```", "", "code", "null"),
    ("```python\n" + "(" * 5000 + "\n```", "", "code", "too many nested"),
    ("x = " + "-" * 100_000 + "1", "python", "code", "nested too deeply"),
    ("```json\n{'a': 1}\n```", "", "code", "JSON"),
    ("```json\n" + "[" * 100_000 + "\n```", "", "code", "deeply"),
]


@pytest.mark.parametrize(("text", "language"), FINE)
def test_what_compiles_has_no_defect(text, language):
    assert check_code(text, language) == ()


@pytest.mark.parametrize(("text", "language", "part", "says"), BROKEN)
def test_what_does_not_compile_is_named(text, language, part, says):
    (defect,) = check_code(text, language)
    assert defect.part == part
    assert says in defect.problem


def test_nothing_is_run(tmp_path):
    mark = tmp_path / "mark"
    assert check_code(f"open({str(mark)!r}, 'w').close()", "python") == ()
    assert not mark.exists()


def test_it_can_be_sent_to_another_process():
    function, text = pickle.loads(pickle.dumps((check_code, BROKEN[0][0])))
    assert function(text) == check_code(BROKEN[0][0])
