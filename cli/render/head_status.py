"""The local head as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from ai3ray.client.local_head import HeadStatus
from ai3ray.report.format import count


def status_text(found: HeadStatus | None, home: Path) -> str:
    """Return the lines of `ai3 status`."""
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
    """Return the JSON of `ai3 status --json`, without the hash of keys and limits."""
    if found is None:
        return json.dumps({"running": False, "home": str(home)}, indent=2)
    head = found.head.model_dump(mode="json", include={"pid", "address", "socket", "version", "started"})
    state = {"status": found.status, "runs_active": found.runs_active}
    return json.dumps({"running": True, "home": str(home), **head, **state}, indent=2)
