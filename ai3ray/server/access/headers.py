"""Headers of every answer over TCP."""

from __future__ import annotations

# What is answered is data: no browser shall guess its type, run it, frame it or lend it to another page.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
