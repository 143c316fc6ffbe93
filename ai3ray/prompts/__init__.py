"""The prompts for models, and the texts in their replies."""
