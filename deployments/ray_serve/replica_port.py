"""Closing a door that Ray Serve leaves open in every replica."""

from __future__ import annotations

from typing import Any

from ray.serve._private import constants, replica


def close_internal_port() -> None:
    """Keep this replica from listening for gRPC calls of other deployments; to be called in its constructor.

    Serve 2.60 opens that port on every interface, asks nobody who they are, and unpickles what comes:
    whoever can reach it runs code as us, whatever address and keys the HTTP side has. Nobody calls it
    unless Serve was told to prefer gRPC to Ray's own calls, which are behind Ray's token.
    """
    if not (constants.RAY_SERVE_USE_GRPC_BY_DEFAULT or constants.RAY_SERVE_PROXY_USE_GRPC):
        setattr(replica, "add_port_to_grpc_server", _no_port)  # noqa: B010 - the module does not export it


def _no_port(_server: Any, _address: str) -> int:
    """The server starts, and listens nowhere."""
    return 0
