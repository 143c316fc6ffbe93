"""The HTTP app and the processes that host it."""
