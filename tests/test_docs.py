"""The pages for users name everything there is, and nothing that is gone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai3ray.server.endpoints import ENDPOINTS
from ai3ray.settings.model import ProviderSettings, Settings

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TOP = ("ai3ray/", "cli/", "deployments/", "configs/", "docs/", "tests/")
NOT_VARIABLES = {"models", "router", "providers", "keys", "explicit", "sources"}
"""Fields of the settings that tables of files fill, not variables."""


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_readme_is_at_most_150_lines_long() -> None:
    assert len(page("README.md").splitlines()) <= 150


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_and_path_of_a_page_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = [name for name in re.findall(r"`([\w./-]+)`", text) if name.startswith(TOP)]
    missing = [link for link in links if not (path.parent / link).exists()]
    missing += [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_the_readme_names_every_command() -> None:
    table = page("README.md").partition("## Commands")[2].partition("## ")[0]
    help_text = subprocess.run(
        [sys.executable, "-m", "cli", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^  (\w+)  ", help_text.partition("\nCommands:\n")[2], re.MULTILINE)
    assert len(commands) > 10
    assert [name for name in commands if not re.search(rf"`(ai3 )?{name}\b|, `{name}`", table)] == []


def test_every_setting_is_explained() -> None:
    text = page("docs/settings.md")
    variables = [f"AI3_{name.upper()}" for name in Settings.model_fields if name not in NOT_VARIABLES]
    assert [name for name in variables if f"`{name}`" not in text] == []
    assert [name for name in ProviderSettings.model_fields if f"`{name}`" not in text] == []


def test_the_http_page_has_a_row_for_every_endpoint() -> None:
    rows = re.findall(r"^\| `([A-Z]+ \S+)` \| (\w+) \|", page("docs/http.md"), re.MULTILINE)
    assert sorted(rows) == sorted(
        (f"{row.method} {row.path}".replace(":path", ""), row.scope or "none") for row in ENDPOINTS
    )
