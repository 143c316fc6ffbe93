"""The short form of the campaign, and the two failures that are known elsewhere by name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ai3ray.headlink import stop_head
from ai3ray.simulator import Simulator
from tests.chaos.driver import VICTIMS, Kill, campaign, strike
from tests.conftest import Home, make_home

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory, shared_simulator: Simulator) -> Iterator[Home]:
    home = make_home(tmp_path_factory.mktemp("chaos"), shared_simulator)
    yield home
    asyncio.run(stop_head(home.settings))


async def test_killed_between_accept_and_first_checkpoint_an_accepted_run_is_not_lost(home, simulator):
    """Elsewhere: an accepted run is dropped silently when the process dies before its first checkpoint."""
    await strike(Kill("head", after_event=0, delay_s=0.0), home, simulator)


async def test_killed_between_result_and_checkpoint_a_finished_node_is_not_run_again(home, simulator):
    """Elsewhere: a node that had finished is run, and paid, again when the process dies right after it."""
    first_artifact = 6  # run_start, plan, decision, task_start, task_verified, task_artifact
    await strike(Kill("head", after_event=first_artifact, delay_s=0.0), home, simulator)


async def test_whoever_is_killed_the_promises_are_kept():
    done = await campaign(25, seed=20261123)
    assert sum(done.values()) == 25
    assert set(done) == set(VICTIMS)
