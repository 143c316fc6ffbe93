"""The clients of a server, the local head, or a home's journal."""
