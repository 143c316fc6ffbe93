"""Read the settings, explain mistakes in them, and compare two configurations."""
