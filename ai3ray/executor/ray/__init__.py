"""The engine in Ray actors; only this package and `deployments` import Ray."""
