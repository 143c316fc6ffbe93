"""Security headers of every response over TCP."""

from __future__ import annotations

# Responses are data: a browser must not guess their type, run or frame them, or hand them to another page.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
