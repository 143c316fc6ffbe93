"""The engine in Ray actors; besides, only `deployments` imports Ray."""
