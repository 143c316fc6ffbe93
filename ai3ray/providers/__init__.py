"""The providers' adapters, which alone import vendor SDKs, and late."""
