"""Model cards, aliases and prices."""
