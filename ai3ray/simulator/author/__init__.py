"""The texts of the simulated models."""
