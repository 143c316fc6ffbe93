"""A Ray of a bench's own: on loopback, behind a token, quiet."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ai3ray.executor.ray.boot import OBJECT_STORE_BYTES
from ai3ray.executor.ray.environment import set_for_own_ray
from ai3ray.executor.ray.patches import make_lean


@contextmanager
def local_ray(home: Path) -> Iterator[None]:
    """Boot it, and take it down with the block. Import ray inside of it, not before.

    Args:
        home: an empty folder with a short name, for its files.
    """
    set_for_own_ray(os.environ)
    import ray

    make_lean()
    ray.init(
        address="local",
        num_cpus=os.cpu_count() or 1,
        include_dashboard=False,
        logging_level=logging.ERROR,
        log_to_driver=False,
        object_store_memory=OBJECT_STORE_BYTES,
        _temp_dir=str(home / "ray"),
    )
    try:
        yield
    finally:
        ray.shutdown()
