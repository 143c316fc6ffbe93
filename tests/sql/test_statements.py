"""Named SQL: every statement is found by its name, and literals cannot end early."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from ai3ray.sql.statements import named_statements, with_literals

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("ai3ray", "cli") for path in (ROOT / folder).rglob("*.sql")]


def test_statements_are_found_by_their_names(tmp_path: Path) -> None:
    file = tmp_path / "some.sql"
    file.write_text("-- About the file.\n\n-- name: one\nSELECT 1;\n\n-- name: two\n-- About it.\nSELECT\n  2\n")
    assert named_statements(file) == {"one": "SELECT 1;", "two": "-- About it.\nSELECT\n  2"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_name_stands_twice_in_a_file(file: Path) -> None:
    names = [line for line in file.read_text().splitlines() if line.startswith("-- name:")]
    assert len(names) == len(set(names)) == len(named_statements(file))


def test_literals_are_quoted_and_json_paths_stay() -> None:
    query = with_literals("""SELECT $text, $n + 1, '{"a": 3}' ->> '$.a'""", text="it's'; DROP TABLE runs --", n=6)
    with duckdb.connect() as connection:
        assert connection.execute(query).fetchall() == [("it's'; DROP TABLE runs --", 7, "3")]


def test_a_variable_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        with_literals("SELECT $nothing")
