"""How a simulated model merges parts: it writes them one after another, each under its title."""

from __future__ import annotations

import re

_PART = re.compile(r'<data-(?P<fence>\w+) part="(?P<title>[^"\n]*)">\n(?P<text>.*?)\n</data-(?P=fence)>', re.DOTALL)


def parts(prompt: str) -> list[tuple[str, str]]:
    """Title and text of each part that a prompt asks to merge; empty when it asks for something else."""
    return [(found["title"], found["text"]) for found in _PART.finditer(prompt)]


def merged(prompt: str, *, defective: bool) -> str:
    """The merged answer; a defective one leaves out the last part."""
    found = parts(prompt)
    kept = found[:-1] if defective else found
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in kept)
