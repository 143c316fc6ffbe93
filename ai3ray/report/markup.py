"""Build HTML; every text that is not Markup is escaped."""

from __future__ import annotations

import html

from ai3ray.report.format import visible


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | float | None) -> Markup:
    """Return one element.

    Args:
        name: its name.
        children: markup, or texts to escape; None is skipped.
        attributes: by name; a trailing `_` is dropped, other `_` become `-`, None leaves the attribute out.
    """
    given = ""
    for key, value in attributes.items():
        if value is not None:
            shown = text(value) if isinstance(value, str) else f"{round(value, 2):g}"
            given += f' {key.rstrip("_").replace("_", "-")}="{shown}"'
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Markup:
    """Concatenate markup and texts."""
    return Markup("".join(child if isinstance(child, Markup) else text(child) for child in children if child))


def text(words: str) -> Markup:
    """Escape a text; control characters become visible symbols."""
    return Markup(html.escape(visible(words)))
