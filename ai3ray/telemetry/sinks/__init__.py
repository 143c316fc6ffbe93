"""Sinks, one file each: a class that implements `Observer`, and its `create`."""
