"""From a prompt to a task graph."""
