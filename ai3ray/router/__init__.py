"""The choice of a model: from a lease request to a ranking."""
