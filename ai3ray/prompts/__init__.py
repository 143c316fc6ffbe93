"""The texts that models are sent."""
