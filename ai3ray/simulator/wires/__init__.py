"""The vendors' wire formats: requests read, replies written, byte by byte."""
