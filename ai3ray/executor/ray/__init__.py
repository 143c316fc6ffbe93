"""Hosts the engine in Ray actors. Only this package and `deployments` import Ray."""
