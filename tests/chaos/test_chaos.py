"""The short form of the campaign, and the two failures that are known elsewhere by name."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.chaos.driver import campaign
from tests.chaos.homes import VICTIMS
from tests.chaos.scenarios import BY_NAME
from tests.chaos.striking import Kill, strike, undisturbed
from tests.chaos.trap import Point

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

PLAIN = BY_NAME["plain"]
WHOLE = pytest.mark.parametrize("victim", ["core", "head"])
"""Those whose death takes journal, pool and conductor along."""


@WHOLE
async def test_killed_between_accept_and_first_checkpoint_an_accepted_run_is_not_lost(site, victim):
    """Elsewhere: an accepted run is dropped silently when the process dies before its first checkpoint."""
    expected = (await undisturbed(PLAIN, site)).answer
    record = await strike(Kill(victim, Point("plan", 1, "before"), PLAIN.name), expected, site)
    accepted, checkpoint, *_ = (json.loads(line) for line in site.trap.committed())
    assert (accepted["type"], checkpoint["type"]) == ("run_start", "plan")
    assert record.result.status == "succeeded"
    assert len(record.calls) == len(PLAIN.prompts)  # nothing had been called by then, so nothing was called twice


@WHOLE
async def test_killed_between_result_and_checkpoint_a_call_is_repeated_once_and_counted(site, victim):
    """Elsewhere: a node that had its result is run, and paid, again, and nobody can tell.

    A call in that gap cannot be saved: its answer was nowhere but in the process that died. But it is known as maybe
    paid, and committed once.
    """
    expected = (await undisturbed(PLAIN, site)).answer
    record = await strike(Kill(victim, Point("task_artifact", 1, "before"), PLAIN.name), expected, site)
    assert calls_of(record) == {"top": 2, "left": 1, "right": 1, "bottom": 1}
    unsure = [attempt for attempt in record.attempts if attempt.maybe_paid]
    assert [(attempt.task_id, attempt.status) for attempt in unsure] == [("top", "lost")]
    assert record.types["task_artifact"] == len(PLAIN.prompts)


async def test_killed_right_after_a_checkpoint_a_finished_node_is_not_run_again(site):
    """Elsewhere: the same happens although the result had been written."""
    expected = (await undisturbed(PLAIN, site)).answer
    record = await strike(Kill("core", Point("task_artifact", 1, "after"), PLAIN.name), expected, site)
    assert calls_of(record)["top"] == 1
    assert not [attempt for attempt in record.attempts if attempt.maybe_paid and attempt.task_id == "top"]


async def test_whoever_is_killed_the_promises_are_kept(site):
    done = await campaign(25, 20261123, [site], report=True)
    assert done.violations == []
    assert done.done.total() == 25
    assert set(done.victims()) == set(VICTIMS)


def calls_of(record) -> Counter[str]:
    """How often each task was called, as the simulator tells it."""
    return Counter(record.key_of(call)[1] for call in record.calls)
