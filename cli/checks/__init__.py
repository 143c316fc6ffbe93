"""The checks of `ai3 doctor`, one file per subject, each bounded in time."""
