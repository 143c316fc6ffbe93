"""The worst that strangers are known to ask: each is refused or stopped in one line, and commits go on."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from ai3ray.errors import RequestError
from ai3ray.journal.store import DuckDBJournal
from ai3ray.sql.isolated.query_process import SqlLimits
from tests.journal.histories import whole_run

LIMITS = SqlLimits(wall_s=1.5, cpu_s=1, memory_bytes=400_000_000)
"""Less than in real life, so that the suite does not take its ten seconds."""
STOPPED = "took longer than|needs more memory|exceeded the limits"

HEAVY = {
    "one huge value": "SELECT repeat('x', 1000000000)",
    "many large values": "SELECT repeat('x', 200000000) FROM range(100)",
    "a huge list": "SELECT range(1000000000)",
    "an aggregate that grows": "SELECT string_agg(repeat('x', 1000)) FROM range(100000000)",
    "a cross join": "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = 7",
    "a recursion without end": "WITH RECURSIVE t AS (SELECT 1 a UNION ALL SELECT a + 1 FROM t) SELECT max(a) FROM t",
    "a sort of 1e8 rows": "SELECT max(x) FROM (SELECT hash(range) x FROM range(100000000) ORDER BY x OFFSET 99999999)",
    "a regex of a long text": "SELECT count(*) FROM range(10000000) WHERE regexp_matches(repeat('a', range), '(a*)*b')",
    "nested brackets": f"SELECT {'[' * 900}1{']' * 900}",
}
REFUSED = {
    "settings": "SELECT * FROM duckdb_settings()",
    "a file": "SELECT * FROM read_csv('/etc/passwd')",
    "COPY": "COPY runs TO '/tmp/ai3-stolen.csv'",
    "brackets that the parser would have to remember": f"SELECT {'(' * 40_000}1{')' * 40_000}",
    "more text than anybody writes": f"SELECT '{'x' * 100_000}'",
    "more columns than anybody reads": f"SELECT {', '.join('1' * 2000)}",
    "a row larger than an answer": "SELECT repeat('x', 8000001)",
}
"""What `test_guard` tells, and this through the whole way."""


async def commits(journal: DuckDBJournal, runs: int = 5) -> list[float]:
    """Seconds from put to durable, one put after the other."""
    acks: list[float] = []
    for number in range(runs):
        for step in whole_run(f"busy_{number}"):
            before = time.perf_counter()
            await journal.put(f"busy_{number}", step.events, step.attempts).committed()
            acks.append(time.perf_counter() - before)
    return acks


@pytest.mark.parametrize("query", HEAVY.values(), ids=HEAVY)
async def test_a_query_that_takes_too_much_is_stopped_while_the_journal_commits(path: Path, query: str) -> None:
    journal = await DuckDBJournal.open(path, sql_limits=LIMITS)
    asked = asyncio.create_task(journal.query_isolated(query))
    acks = await commits(journal)
    with pytest.raises(RequestError, match=STOPPED) as caught:
        await asyncio.wait_for(asked, 90)  # a child begins late where others take the processor
    assert len(str(caught.value).splitlines()) == 1
    assert statistics.median(acks) < 0.5
    await journal.aclose()


async def test_a_query_that_looks_beyond_the_journal_is_refused_in_one_line(path: Path) -> None:
    journal = await DuckDBJournal.open(path, sql_limits=SqlLimits(max_wait_s=60))
    answers = await asyncio.gather(*map(journal.query_isolated, REFUSED.values()), return_exceptions=True)
    for name, answer in zip(REFUSED, answers, strict=True):
        assert isinstance(answer, RequestError), name
        assert answer.param == "sql", name
        assert len(str(answer).splitlines()) == 1, name
        assert str(path.parent) not in str(answer), name
    await journal.aclose()
