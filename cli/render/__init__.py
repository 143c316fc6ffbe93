"""What commands print: tables, charts and texts."""
