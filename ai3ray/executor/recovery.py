"""Calls in flight when a core died."""

from __future__ import annotations

from ai3ray.domain.call import Attempt
from ai3ray.domain.run import RunState
from ai3ray.journal.store import DuckDBJournal

_ENDED_WITH_CALLS_OPEN = """
select distinct run_id from attempts join runs using (run_id) where attempts.status = 'started' and runs.complete
"""


def lost_calls(state: RunState) -> tuple[Attempt, ...]:
    """Return open calls as lost and maybe paid."""
    return tuple(
        attempt.model_copy(update={"status": "lost", "maybe_paid": True, "error_type": "runner_lost"})
        for attempt in state.attempts.values()
        if attempt.status == "started"
    )


async def close_ended_runs(journal: DuckDBJournal) -> None:
    """Journal ended runs' open calls as lost; such runs are not resumed."""
    for (run_id,) in (await journal.query(_ENDED_WITH_CALLS_OPEN)).rows:
        journal.put(run_id, (), lost_calls(journal.state(run_id)))
