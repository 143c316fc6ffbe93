"""Adapters to the providers: one file per wire, one row each in `build.py`. Only they import vendor SDKs, and late."""
