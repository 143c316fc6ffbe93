"""Adapters to the providers' wire protocols; the vendor SDKs are imported only in here, and late."""
