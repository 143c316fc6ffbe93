"""The checks of `ai3 doctor`, one file per subject; each is bounded in time and leaves no process behind."""
