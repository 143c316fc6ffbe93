"""Runs plans: the conductor drives a run, the runner a task."""
