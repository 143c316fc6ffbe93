"""Which model a call should go to: pure functions from a wish, cards and live figures to a ranked list."""
