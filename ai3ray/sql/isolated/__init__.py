"""SQL of a server's callers: each query runs in a process of its own, on a copy of the journal."""
