"""The values and rules of ai3ray, without I/O."""
