"""Answers of lists, previews and queries."""

from __future__ import annotations

from typing import Any

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import TaskGraph


class Accepted(Frozen):
    """An accepted, durable run."""

    run_id: str
    status: str
    """`queued` when new."""


class RunRow(Frozen):
    """One run in a list, as `ai3 runs list --json` shows it."""

    run_id: str
    status: str
    prompt: str
    """The request's prompt."""
    started_at: str
    """Time of acceptance, UTC ISO 8601."""
    seconds: float | None
    """Seconds it took; None while it runs."""
    cost_usd: float | None
    """The known cost so far, in US dollars."""


class PruneReport(Frozen):
    """The rows that pruning deleted, or would delete."""

    runs: int
    """Runs deleted, with all their rows."""
    events: int
    """Events deleted."""
    bytes: int
    """Bytes of their events and answers, before compression."""
    dry_run: bool
    """True when nothing was deleted."""


class Table(Frozen):
    """The answer of a query."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    """JSON scalars, lists and objects."""
    truncated: bool = False
    """True when there were more rows than requested, or than an answer holds."""
    as_of: str | None = None
    """The moment of the journal it shows, UTC ISO 8601; None for the present."""


class PlanPreview(Frozen):
    """A plan that was not run, with an estimate of running it."""

    plan: TaskGraph
    estimate: dict[str, float | None]
    """`cost_usd` (null when a price is unknown) and `seconds`."""
    warnings: tuple[str, ...] = ()
    """Warnings, one line each."""


class ModelView(Frozen):
    """One model of the registry with its live telemetry."""

    model: str
    """`provider/model`."""
    provider: str
    tier: str
    """`small`, `standard` or `frontier`."""
    context: int
    """Context window, in tokens."""
    max_output: int
    """Cap of an answer, in tokens."""
    configured: bool
    """True if its provider has a key or address here."""
    state: str
    """`ready`, `unconfigured`, `retired`, or why its provider is out."""
    input_usd_per_mtok: float | None
    """US dollars per million tokens of input; null when unknown."""
    output_usd_per_mtok: float | None
    """US dollars per million tokens of output; null when unknown."""
    calls: int
    """Calls that ended."""
    success: float | None
    """Share of calls that succeeded, 0 to 1."""
    p50_s: float | None
    """Median seconds of a call."""
    p95_s: float | None
    """95th percentile of seconds of a call."""
    cost_usd: float | None
    """Known cost of its calls, in US dollars."""
    cost_per_1k_tokens: float | None = None
    """US dollars per thousand tokens of input and output, over calls of known cost."""
    in_flight: int = 0
    """Calls in flight."""
    share: float | None = None
    """Share of the latest 200 calls of all models, 0 to 1; null before the first call."""
    limit: int | None = None
    """Calls in flight that its provider allows now, over all models; null when unconfigured."""
