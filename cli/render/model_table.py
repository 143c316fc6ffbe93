"""Models as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ai3ray.domain.listings import ModelView
from ai3ray.report.format import money, seconds, share

from .text_table import TableColumn, table

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    TableColumn("model", keep=True),
    TableColumn("tier"),
    TableColumn("context", right=True),
    TableColumn("$/Mtok", right=True),
    TableColumn("state"),
    TableColumn("calls", right=True),
    TableColumn("share", right=True),
    TableColumn("ok", right=True),
    TableColumn("p50", right=True),
    TableColumn("p95", right=True),
    TableColumn("$/1k tok", right=True),
    TableColumn("cost", right=True),
)


def models_json(views: Sequence[ModelView]) -> str:
    """Return the models as a JSON list."""
    return json.dumps([view.model_dump(mode="json") for view in views], indent=2, ensure_ascii=False)


def models_table(views: Sequence[ModelView]) -> Table:
    """Return the models, a line each."""
    return table(COLUMNS, (_cells(view) for view in views))


def _cells(view: ModelView) -> tuple[str, ...]:
    return (
        view.model,
        view.tier,
        f"{view.context / 1e6:g}M" if view.context >= 1_000_000 else f"{view.context // 1000}k",
        f"{_price(view.input_usd_per_mtok)} / {_price(view.output_usd_per_mtok)}",
        view.state,
        f"{view.calls:,}",
        share(view.share if view.calls else None),
        share(view.success),
        seconds(view.p50_s),
        seconds(view.p95_s),
        "-" if view.cost_per_1k_tokens is None else f"{view.cost_per_1k_tokens:.4f}",
        money(view.cost_usd) if view.calls else "-",
    )


def _price(usd: float | None) -> str:
    return "?" if usd is None else f"{usd:g}"
