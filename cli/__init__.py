"""The `ai3` command."""
