"""One home for all that is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.chaos.homes import Site, opened_site


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Iterator[Site]:
    """A site. The loop is the fixture's own: a site outlives the loop of a test."""
    with asyncio.Runner() as runner:
        opened = opened_site(pytestconfig.cache.mkdir("bytecode"))
        yield runner.run(opened.__aenter__())
        runner.run(opened.__aexit__(None, None, None))
