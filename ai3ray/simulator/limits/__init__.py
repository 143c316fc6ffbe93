"""The vendors' accounts, rate limits and prompt caches."""
