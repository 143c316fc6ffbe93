"""The app on Ray Serve."""
