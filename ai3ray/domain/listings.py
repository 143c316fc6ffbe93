"""What lists, previews and queries show: the answers of the HTTP API, the client and the CLI."""

from __future__ import annotations

from typing import Any

from ai3ray.domain.frozen import Frozen
from ai3ray.domain.plan import TaskGraph


class Accepted(Frozen):
    """A run that is durable."""

    run_id: str
    """Its id."""
    status: str
    """Its status, `queued` when new."""


class RunRow(Frozen):
    """One run in a list, as `ai3 runs list --json` shows it."""

    run_id: str
    """Its id."""
    status: str
    """Its status."""
    prompt: str
    """What was asked."""
    started_at: str
    """When it was accepted, UTC ISO 8601."""
    seconds: float | None
    """How long it took; None while it runs."""
    cost_usd: float | None
    """The known cost so far, in US dollars."""


class PruneReport(Frozen):
    """What pruning has deleted, or would delete."""

    runs: int
    """Runs, with all their rows."""
    events: int
    """Events of their histories."""
    bytes: int
    """Bytes of their events and answers, before the file compresses them."""
    dry_run: bool
    """True when nothing was deleted."""


class Table(Frozen):
    """A query's answer."""

    columns: tuple[str, ...]
    """Column names."""
    rows: tuple[tuple[Any, ...], ...]
    """Rows of JSON scalars, lists and objects."""
    truncated: bool = False
    """True when there were more rows than asked for, or than an answer holds."""
    as_of: str | None = None
    """Which moment's journal it shows, UTC ISO 8601; None for the journal as it is."""


class PlanPreview(Frozen):
    """A plan that was not run, and what running it would take."""

    plan: TaskGraph
    """The task graph."""
    estimate: dict[str, float | None]
    """`cost_usd` (null when a price is unknown) and `seconds`."""
    warnings: tuple[str, ...] = ()
    """What the reader should know."""


class ModelView(Frozen):
    """One model of the registry with its live telemetry."""

    model: str
    """`provider/model`."""
    provider: str
    """Its provider."""
    tier: str
    """How strong it is."""
    context: int
    """Tokens of its window."""
    max_output: int
    """The most tokens of an answer."""
    configured: bool
    """Whether its provider has a key or address here."""
    state: str
    """`ready`, `unconfigured`, `retired`, or why its provider is out."""
    input_usd_per_mtok: float | None
    """List price of input; null when unknown."""
    output_usd_per_mtok: float | None
    """List price of output; null when unknown."""
    calls: int
    """Calls made."""
    success: float | None
    """Share of them that succeeded."""
    p50_s: float | None
    """Median seconds of a call."""
    p95_s: float | None
    """95th percentile of seconds of a call."""
    cost_usd: float | None
    """What they cost."""
    cost_per_1k_tokens: float | None = None
    """US dollars per thousand tokens, input and output together, of the calls whose cost is known."""
    in_flight: int = 0
    """Calls that have not ended."""
    share: float | None = None
    """Its part of the latest calls of all models (at most 200), 0 to 1; null before the first call."""
    limit: int | None = None
    """Calls in flight that its provider may have at the moment, over all its models; null when unconfigured."""
