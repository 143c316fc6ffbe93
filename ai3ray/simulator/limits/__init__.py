"""The vendors' limits, accounts and prompt caches, by their own accounting."""
