"""The commands of `ai3`, one file each."""
