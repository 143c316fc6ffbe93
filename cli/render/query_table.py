"""The answer to a query as a table, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any, Literal

from ai3ray.domain.listings import Table
from ai3ray.report.format import visible

from ..streams import is_terminal, render_text
from .text_table import TableColumn, table


def table_text(answer: Table, form: Literal["table", "json", "csv"], *, width: int | None = None) -> str:
    """Return the answer for stdout."""
    if form == "table":
        columns = [TableColumn(name, right=_is_numeric(answer, at)) for at, name in enumerate(answer.columns)]
        return render_text(table(columns, ([_plain(value) for value in row] for row in answer.rows)), width=width)
    out = io.StringIO()
    if form == "json":
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        out.write(f"{json.dumps(rows, indent=2, ensure_ascii=False)}\n")
    else:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows([_plain(value) for value in row] for row in answer.rows)
    text = out.getvalue()
    return visible(text) if is_terminal(sys.stdout) else text


def _is_numeric(answer: Table, at: int) -> bool:
    values = [row[at] for row in answer.rows if row[at] is not None]
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _plain(value: Any) -> str:
    """Return a value as text: nothing for null, JSON for lists and objects."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
