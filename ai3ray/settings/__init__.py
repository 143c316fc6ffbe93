"""Read settings, explain mistakes in them, and compare configurations."""
