"""Read a run with its history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Decision, parse_event
from ai3ray.sql.statements import named_statements, with_literals

if TYPE_CHECKING:
    from ai3ray.client.port import RunReader
    from ai3ray.domain.result import RunResult

PAGE = 2_000  # events per query, so that each answers within seconds

_SQL = Path(__file__).with_suffix(".sql")
_MOST_ATTEMPTS = 100_000


@dataclass(frozen=True)
class RunHistory:
    """A run with its history."""

    result: RunResult
    events: Sequence[Mapping[str, Any]]
    """The envelopes of the journaled events, in order."""
    attempts: Sequence[Attempt]

    @property
    def decisions(self) -> Sequence[Decision]:
        """The routing decisions, in order."""
        parsed = (parse_event(json.dumps(event)) for event in self.events if event["type"] == "decision")
        return [event for event in parsed if isinstance(event, Decision)]

    @property
    def plan(self) -> Mapping[str, Any]:
        """The task graph as planned; empty before planning."""
        plans = [event["plan"] for event in self.events if event["type"] == "plan" and event.get("plan")]
        return plans[-1] if plans else {}

    @property
    def started_at(self) -> str:
        """The time at which the run was accepted."""
        return str(self.events[0]["ts"]) if self.events else ""


async def read_history(reader: RunReader, run_id: str) -> RunHistory:
    """Read a run with its events so far.

    Raises:
        UnknownRun: there is no such run.
    """
    result = await reader.result(run_id)
    return RunHistory(result, await _events(reader, result.run_id), await _attempts(reader, result.run_id))


async def _events(reader: RunReader, run_id: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    seq = 0
    while True:
        query = with_literals(named_statements(_SQL)["events"], run_id=run_id, after=seq, limit=PAGE)
        table = await reader.sql(query, max_rows=PAGE)
        found += [json.loads(body) if isinstance(body, str) else body for _, body in table.rows]
        if len(table.rows) < PAGE:
            return found
        seq = table.rows[-1][0]


async def _attempts(reader: RunReader, run_id: str) -> list[Attempt]:
    statement = named_statements(_SQL)["attempts"].format(columns=", ".join(Attempt.model_fields))
    table = await reader.sql(with_literals(statement, run_id=run_id), max_rows=_MOST_ATTEMPTS)
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    return [Attempt.model_validate({**row, "started_at": row["started_at"] or ""}) for row in rows]
