"""Which model a call should go to: pure functions from a lease request, cards and live figures to a ranked list."""
