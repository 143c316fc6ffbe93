"""The local head in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ai3ray.report.format import count

if TYPE_CHECKING:
    from ai3ray.client.local_head import HeadStatus


def status_text(found: HeadStatus | None, home: Path) -> str:
    """What `ai3 status` shows to a person."""
    if found is None:
        return f"no head is running in {home}; the next run starts one\n"
    head = found.head
    rows = {
        "status": f"{found.status}, {count(found.runs_active, 'active run')}",
        "pid": str(head.pid),
        "socket": str(head.socket),
        "version": head.version,
        "started": head.started,
        "home": str(home),
    }
    return "".join(f"{name:<8} {value}\n" for name, value in rows.items())


def status_json(found: HeadStatus | None, home: Path) -> str:
    """What `ai3 status --json` shows; without the fingerprint of the keys, which is of no use to anybody."""
    if found is None:
        return json.dumps({"running": False, "home": str(home)}, indent=2)
    head = found.head.model_dump(mode="json", include={"pid", "address", "socket", "version", "started"})
    state = {"status": found.status, "runs_active": found.runs_active}
    return json.dumps({"running": True, "home": str(home), **head, **state}, indent=2)
