"""Live statistics of model calls: outcomes, pace, traffic, and evidence that decays."""
