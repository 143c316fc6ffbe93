"""What the simulated models write."""
