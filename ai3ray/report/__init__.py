"""A run as a file: JSON, Parquet, or one HTML page."""
