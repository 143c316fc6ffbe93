"""HTML by construction: every text is escaped unless it is markup already, so none can be forgotten."""

from __future__ import annotations

import html

from ai3ray.report.format import visible


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: its name.
        children: markup, or texts, which are escaped; None is nothing.
        attributes: by name; a trailing `_` is dropped and other ones become `-`, None leaves it out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>{joined(*children)}</{name}>")


def joined(*children: str | None) -> Markup:
    """Several pieces of markup or text in a row."""
    return Markup("".join(child if isinstance(child, Markup) else text(child) for child in children if child))


def text(words: str) -> Markup:
    """A text as HTML shows it: no markup, and control characters as pictures of themselves."""
    return Markup(html.escape(visible(words)))


def _attribute(value: str | float) -> str:
    return text(value) if isinstance(value, str) else f"{round(value, 2):g}"
