"""Whose runs they are: both journals tell them apart."""

from __future__ import annotations

import pytest

from ai3ray.journal.port import RunMeta
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import attempt, started


async def filled(journal) -> None:
    for number, owner in enumerate(("alice", "bob", "", "alice"), 1):
        receipt = journal.put(f"r{number}", [started(f"of {owner}")], meta=RunMeta(owner=owner))
        journal.put(f"r{number}", attempts=[attempt(f"r{number}", None, f"c{number}", cost_usd=number / 100)])
        await receipt.committed()


@pytest.mark.parametrize(
    ("owner", "found"),
    [(None, ["r4", "r3", "r2", "r1"]), ("alice", ["r4", "r1"]), ("bob", ["r2"]), ("", ["r3"]), ("carol", [])],
)
async def test_the_list_is_of_one_owner_when_one_is_named(journal, owner, found):
    await filled(journal)
    assert [row.run_id for row in await journal.runs(owner=owner)] == found


async def test_a_page_goes_on_among_the_owner_s_runs(journal):
    await filled(journal)
    assert [row.run_id for row in await journal.runs(1, owner="alice")] == ["r4"]
    assert [row.run_id for row in await journal.runs(1, "r4", owner="alice")] == ["r1"]
    assert list(await journal.runs(1, "r1", owner="alice")) == []


async def test_figures_are_of_one_owner_when_one_is_named(disk: DuckDBJournal):
    await filled(disk)
    await disk.put("r4", attempts=[attempt("r4", None, "last", cost_usd=0.5)]).committed()
    assert [(await disk.stats(owner)).calls for owner in (None, "alice", "bob", "carol")] == [5, 3, 1, 0]
    assert (await disk.stats("alice")).cost_usd == pytest.approx(0.55)
    assert (await disk.stats("bob")).cost_usd == pytest.approx(0.02)
    assert (await disk.stats("alice'; DROP TABLE runs --")).calls == 0
