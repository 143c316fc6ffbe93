"""The choice of a model for a lease request."""
