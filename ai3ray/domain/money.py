"""US dollars as text, and what a run has spent."""

from __future__ import annotations

from ai3ray.domain.run import RunState


def dollars(usd: float) -> str:
    """Format an amount in as many digits as it needs: `$0.25`, `$12`, `$0.0487`, `$0.0000021`."""
    if usd and abs(usd) < 0.0001:
        return f"${usd:.12f}".rstrip("0")
    return f"${usd:.6f}".rstrip("0").rstrip(".")


def spent(state: RunState) -> float:
    """Return the US dollars that count as spent; calls of unknown bill count with their reservation."""
    return sum(
        (state.reserved.get(call.attempt_id, 0.0) if call.maybe_paid or call.status == "started" else 0.0)
        if call.cost_usd is None
        else call.cost_usd
        for call in state.attempts.values()
    )
