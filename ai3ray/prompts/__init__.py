"""The prompts that models are sent, and the texts that they send back."""
