"""Who may call the server over TCP, and how much."""
