"""The process that runs one isolated query under limits, on a copy of the journal.

`python -m ai3ray.sql.isolated.query_worker` reads a job as one line of JSON from its standard input and writes lines
of JSON: the columns, lists of rows, the end, or an error. A broken limit ends the process. It imports little, because
it starts for every query.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from ai3ray.child.landlock import MACHINE_SIZE_FILES, restrict_filesystem
from ai3ray.child.lifetime import exit_at_end_of_input, exit_with_parent
from ai3ray.child.resource_limits import ResourceLimits, limit_resources
from ai3ray.errors import RequestError
from ai3ray.sql.guard import refuse_system_access, single_select
from ai3ray.sql.values import CappedItems, QueryAnswer, one_line

# Below the process's limit: DuckDB does not count all memory, and its own error says more than a failed allocation.
_SHARE_OF_MEMORY = 0.5
_CHUNK_BYTES = 64_000
_MAX_COLUMNS = 1_000
_OUT_OF_MEMORY = json.dumps({"error": "the query needs more memory than it is allowed"})


def main() -> None:
    """Answer the job on standard input."""
    exit_with_parent()
    job: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    limit_resources(ResourceLimits(*job["limits"]))
    # sys.path stays readable: Python and DuckDB import some modules on first use.
    restrict_filesystem([Path(job["file"]).parent, *map(Path, sys.path), *MACHINE_SIZE_FILES])
    exit_at_end_of_input()
    try:
        for line in _answer(job):
            _send(line)
    except RequestError as error:
        _send(json.dumps({"error": str(error)}))
    except (MemoryError, duckdb.OutOfMemoryException):
        _send(_OUT_OF_MEMORY)
    except RecursionError:
        _send(json.dumps({"error": "the answer is nested too deeply"}))
    except (duckdb.IOException, duckdb.FatalException, duckdb.SerializationException) as error:
        # Without memory for the text of an error, DuckDB raises one of these instead.
        _send(_OUT_OF_MEMORY if "allocation failed" in str(error) else json.dumps({"copy_error": one_line(error)}))
    except (duckdb.Error, ValueError) as error:
        _send(json.dumps({"error": one_line(error)}))
    os._exit(0)  # nothing was written, so nothing needs closing


def _answer(job: dict[str, Any]) -> Iterator[str]:
    query = single_select(job["query"])
    connection = _open(job["file"], job["limits"][0])
    refuse_system_access(connection, query)
    connection.execute("BEGIN TRANSACTION READ ONLY")
    answer = QueryAnswer(connection, query)
    if len(answer.columns) > _MAX_COLUMNS:
        raise RequestError(f"an answer can have at most {_MAX_COLUMNS:,} columns", "sql")
    yield json.dumps({"columns": answer.columns})
    rows = CappedItems(map(_row_json, answer), len, job["max_rows"], job["max_bytes"])
    yield from _chunks(rows)
    yield json.dumps({"truncated": rows.truncated})


def _open(file: str, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """Open the copy read-only; any failure is an IOException, which blames the copy."""
    try:
        connection = duckdb.connect(
            file,
            read_only=True,
            config={
                "threads": 1,
                "async_threads": 1,
                "memory_limit": f"{int(memory_bytes * _SHARE_OF_MEMORY)}B",
                "temp_directory": "",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "allow_persistent_secrets": False,
                "python_enable_replacements": False,
            },
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        raise duckdb.IOException(str(error)) from error
    return connection


def _row_json(row: tuple[Any, ...]) -> bytes:
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode()


def _chunks(rows: CappedItems[bytes]) -> Iterator[str]:
    """Yield lists of rows of some size: the parent's event loop runs between two of them."""
    chunk: list[bytes] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row)
        if size > _CHUNK_BYTES:
            yield f"[{b','.join(chunk).decode()}]"
            chunk, size = [], 0
    if chunk:
        yield f"[{b','.join(chunk).decode()}]"


def _send(line: str) -> None:
    sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
