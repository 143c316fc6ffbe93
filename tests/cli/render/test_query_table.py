"""A query's answer in three forms."""

import json

from ai3ray.domain.listings import Table
from cli.render.query_table import table_text

ANSWER = Table(columns=("name", "n", "body"), rows=(("a,b", 12, {"k": [1]}), (None, None, "x\ny")))


def test_json_is_a_list_of_row_objects():
    assert json.loads(table_text(ANSWER, "json")) == [
        {"name": "a,b", "n": 12, "body": {"k": [1]}},
        {"name": None, "n": None, "body": "x\ny"},
    ]
    assert json.loads(table_text(Table(columns=("n",), rows=()), "json")) == []


def test_csv_quotes_what_needs_it():
    assert table_text(ANSWER, "csv") == 'name,n,body\n"a,b",12,"{""k"": [1]}"\n,,"x\ny"\n'


def test_a_table_has_a_line_per_row_and_numbers_on_the_right():
    assert table_text(ANSWER, "table").splitlines() == ["name   n  body", 'a,b   12  {"k": [1]}', "          x y"]


def test_an_empty_answer_still_has_its_heading():
    assert table_text(Table(columns=("n",), rows=()), "table") == "n\n"
