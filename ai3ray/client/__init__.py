"""The HTTP and SSE client, and how it reaches the local head or the journal of a home."""
