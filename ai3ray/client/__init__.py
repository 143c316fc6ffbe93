"""The HTTP client of a server or the local head, and the reader of a home's journal."""
