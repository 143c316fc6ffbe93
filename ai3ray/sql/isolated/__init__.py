"""SQL for the callers of a server: each query runs in its own process, on a copy of the journal."""
