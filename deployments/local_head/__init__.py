"""The local head: one background process per home."""
