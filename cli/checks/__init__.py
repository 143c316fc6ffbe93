"""What `ai3 doctor` looks at, one file per subject; each check is bounded in time and starts nothing that stays."""
