"""Money: US dollars in words, and what a run has spent."""

from __future__ import annotations

from ai3ray.domain.run import RunState


def dollars(usd: float) -> str:
    """An amount in as many digits as it needs: `$0.25`, `$12`, `$0.0487`, `$0.0000021`."""
    if usd and abs(usd) < 0.0001:
        return f"${usd:.12f}".rstrip("0")
    return f"${usd:.6f}".rstrip("0").rstrip(".")


def spent(state: RunState) -> float:
    """US dollars that a run counts as spent: a call whose bill is unknown counts with what was reserved for it.

    Higher than the run's cost, which is the sum of what is known.
    """
    return sum(
        (state.reserved.get(call.attempt_id, 0.0) if call.maybe_paid or call.status == "started" else 0.0)
        if call.cost_usd is None
        else call.cost_usd
        for call in state.attempts.values()
    )
