"""The `ai3` command: each command parses its arguments, calls `ai3ray` once, and prints the result."""
