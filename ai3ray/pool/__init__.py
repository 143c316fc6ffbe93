"""The provider pool, pure and synchronous."""
