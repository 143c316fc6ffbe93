"""Access control over TCP: hosts and origins, keys and scopes, open streams."""
