"""The `ai3` command: every command parses its words, asks `ai3ray` once, and renders the answer."""
