"""Plans and runs: conductors, runners, leases."""
