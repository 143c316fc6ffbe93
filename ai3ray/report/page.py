"""A run as one HTML page, without scripts or external parts, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ai3ray.report import sections
from ai3ray.report.format import clipped, one_line
from ai3ray.report.graph import graph_figure
from ai3ray.report.markup import Markup, joined, tag
from ai3ray.report.timeline import timeline_figure

if TYPE_CHECKING:
    from ai3ray.report.run_history import RunHistory

_STYLE = Path(__file__).with_name("page.css")


def page(history: RunHistory) -> str:
    """Return the whole document."""
    result = history.result
    parts = {
        "Task graph": graph_figure(result.tasks),
        "Timeline": timeline_figure(history),
        "Tasks": sections.tasks_table(result.tasks),
        "Costs": sections.costs(history.attempts),
        "Answer": sections.answer(result),
        "Task texts": sections.texts(history),
        "Decisions": sections.decisions_table(history.decisions),
    }
    links = tag("nav", *(tag("a", name, href=f"#{_anchor(name)}") for name in parts))
    body = (tag("section", tag("h2", name), content, id=_anchor(name)) for name, content in parts.items())
    title = clipped(one_line(result.prompt) or result.run_id, 80)
    return f"<!DOCTYPE html>\n{_document(title, joined(sections.head(history), links, *body))}\n"


def _document(title: str, body: Markup) -> Markup:
    style = _STYLE.read_text(encoding="utf-8")
    heading = joined(
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        Markup('<meta name="referrer" content="no-referrer">'),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return tag("html", tag("head", heading), tag("body", tag("main", body)), lang="en")


def _policy(style: str) -> str:
    """Return a policy that allows nothing but this style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
