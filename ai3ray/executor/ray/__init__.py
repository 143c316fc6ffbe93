"""The engine in Ray actors; only `deployments` imports Ray too."""
