"""The journal on disk: what SQL shows of a run, batches, reopening, failing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ai3ray.domain.artifact import artifact_id
from ai3ray.domain.events import RunStart, Warned
from ai3ray.errors import JournalError, KeyReused
from ai3ray.journal.port import RunMeta
from ai3ray.journal.store import DuckDBJournal
from tests.journal.histories import MODEL, attempt, planned, started, whole_run


async def put_run(journal: DuckDBJournal, run_id: str, meta: RunMeta | None = None) -> None:
    for number, step in enumerate(whole_run(run_id)):
        receipt = journal.put(run_id, step.events, step.attempts, key=str(number), meta=None if number else meta)
    await receipt.committed()


async def rows(journal: DuckDBJournal, sql: str) -> list[dict[str, object]]:
    table = await journal.query(sql)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


async def test_a_finished_run_is_one_row_with_its_sums(disk: DuckDBJournal) -> None:
    await put_run(disk, "r", RunMeta(owner="ann", request_key="k", request_hash="h"))
    state = disk.state("r")
    (row,) = await rows(disk, "SELECT * FROM runs")
    assert row.pop("seconds") is not None
    assert row == {
        "run_id": "r",
        "status": "succeeded",
        "prompt": "say hello",
        "owner": "ann",
        "class": "batch",
        "assembly": "concat",
        "created_at": state.created_at,
        "finished_at": state.finished_at,
        "cost_usd": 0.5,
        "input_tokens": 200,
        "output_tokens": 40,
        "warnings": [],
        "request_key": "k",
        "request_hash": "h",
        "epoch": 1,
        "complete": True,
    }


async def test_a_task_is_one_row_with_the_cost_of_all_its_calls(disk: DuckDBJournal) -> None:
    await put_run(disk, "r")
    judge = attempt("r", "a", "judge", role="judge", cost_usd=0.05)
    await disk.put("r", attempts=[judge]).committed()
    first, second = await rows(disk, "SELECT * FROM tasks ORDER BY task_id")
    assert (first["task_id"], first["title"], first["kind"], first["status"]) == ("a", "Task a", "writing", "succeeded")
    assert (first["provider"], first["model"], first["attempts"]) == ("acme", MODEL, 1)
    assert first["depends_on"] == []
    assert first["verdict"] == {"passed": True, "score": 0.9, "defects": [], "by": "acme/judge"}
    assert first["cost_usd"] == pytest.approx(0.3)
    assert second["cost_usd"] == 0.25
    assert (await rows(disk, "SELECT cost_usd FROM runs"))[0]["cost_usd"] == pytest.approx(0.55)


async def test_an_unknown_price_makes_the_tasks_cost_unknown_and_stays_out_of_the_runs_sum(disk: DuckDBJournal) -> None:
    await put_run(disk, "r")
    await disk.put("r", attempts=[attempt("r", "a", "x", cost_usd=None)]).committed()
    assert (await disk.query("SELECT cost_usd FROM tasks ORDER BY task_id")).rows == ((None,), (0.25,))
    assert (await disk.query("SELECT cost_usd FROM runs")).rows == ((0.5,),)


async def test_every_model_call_is_one_row_that_its_end_replaces(disk: DuckDBJournal) -> None:
    journal = disk
    journal.put("r", [started()])
    await journal.put("r", attempts=[attempt("r", None, "call", "started", role="plan")]).committed()
    assert (await journal.query("SELECT status, cost_usd FROM attempts")).rows == (("started", None),)
    ended = attempt("r", None, "call", role="plan", request_id="req", cached_tokens=7, usage_estimated=True)
    await journal.put("r", attempts=[ended]).committed()
    (row,) = await rows(journal, "SELECT * FROM attempts")
    assert row == ended.model_dump()


async def test_a_decision_and_an_artifact_are_rows_of_their_own(disk: DuckDBJournal) -> None:
    await put_run(disk, "r")
    decision, _ = await rows(disk, "SELECT * FROM decisions ORDER BY task_id")
    assert (decision["task_id"], decision["attempt_id"], decision["model"]) == ("a", "r.a.1", MODEL)
    assert [candidate["model"] for candidate in decision["candidates"]] == [MODEL, "acme/small"]
    artifact, _ = await rows(disk, "SELECT * FROM artifacts ORDER BY task_id")
    text = "answer of a ü\n"
    assert artifact == {
        "artifact": artifact_id(text),
        "run_id": "r",
        "task_id": "a",
        "media_type": "text/markdown",
        "bytes": len(text.encode()),
        "text": text,
    }


async def test_the_same_text_has_one_address_wherever_it_stands() -> None:
    assert artifact_id("hello") == "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert artifact_id("hello\n") != artifact_id("hello")


async def test_an_events_body_is_its_line_to_the_byte(disk: DuckDBJournal) -> None:
    prompt = 'quotes " \\ newline \n tab \t nul \x00 \u2028 emoji 🦆 {"a" :  1.0}'
    disk.put("r", [RunStart(request={"prompt": prompt, "nested": {"z": 1, "a": [1.0, None]}})])
    disk.put("r", [Warned(message=prompt, code="c")])
    await put_run(disk, "s")
    lines = list(await disk.tail("r", 0)) + list(await disk.tail("s", 0))
    stored = await disk.query("SELECT body::VARCHAR FROM events ORDER BY run_id, seq")
    assert [body for (body,) in stored.rows] == lines
    assert json.loads(lines[1])["message"] == prompt
    assert (await disk.query("SELECT prompt FROM runs WHERE run_id = 'r'")).rows == ((prompt,),)


async def test_tasks_and_runs_change_with_the_event_that_changes_them(disk: DuckDBJournal) -> None:
    """Whatever a reader sees at whatever moment, rows and events tell the same."""
    sql = """
        SELECT
            (SELECT count(*) FROM events WHERE type = 'task_artifact'),
            (SELECT count(*) FROM tasks WHERE status = 'succeeded'),
            (SELECT count(*) FROM artifacts),
            (SELECT count(*) FROM events WHERE type = 'final'),
            (SELECT count(*) FROM runs WHERE status = 'succeeded')
    """
    counts = set()
    for number in range(6):
        for step in whole_run(f"r{number}", ["a", "b", "c"]):
            disk.put(f"r{number}", step.events, step.attempts)
            counts.add((await disk.query(sql)).rows[0])
    await disk.put("r0").committed()
    counts.add((await disk.query(sql)).rows[0])
    assert len(counts) > 6
    assert all(events == tasks == texts and ends == runs for events, tasks, texts, ends, runs in counts)


async def test_puts_that_gather_during_a_commit_share_the_next_one(disk: DuckDBJournal) -> None:
    await disk.put("r", [started()]).committed()
    receipts = [disk.put("r", [Warned(message=str(n), code="c")]) for n in range(50)]
    assert len({id(receipt.outcome) for receipt in receipts}) == 1
    await receipts[0].committed()
    assert len(await disk.tail("r", 0)) == 51


async def test_nobody_sees_an_event_before_it_is_on_disk(disk: DuckDBJournal) -> None:
    await disk.put("r", [started()]).committed()
    for number in range(20):
        disk.put("r", [Warned(message=str(number), code="c")])
        seen = len(await disk.tail("r", number + 1)) + number + 1
        on_disk = (await disk.query("SELECT count(*) FROM events")).rows[0][0]
        assert on_disk >= seen


async def test_nonsense_from_a_provider_does_not_stop_the_journal(disk: DuckDBJournal) -> None:
    disk.put("r", [started()])
    absurd = attempt("r", None, "x", input_tokens=10**30, output_tokens=-(10**30), started_at="yesterday")
    await disk.put("r", attempts=[absurd]).committed()
    await put_run(disk, "s")
    assert (await disk.query("SELECT input_tokens, started_at FROM attempts WHERE run_id = 'r'")).rows == (
        (2**63 - 1, None),
    )


async def test_reopening_gives_back_runs_keys_and_open_ends(path: Path) -> None:
    journal = await DuckDBJournal.open(path)
    meta = RunMeta(owner="ann", request_key="ann/1", request_hash="h", epoch=3)
    await put_run(journal, "done")
    journal.put("open", [started()], key="start", meta=meta)
    first = journal.put("open", [planned(["a"])], [attempt("open", None, "p", "started")], key="plan")
    states = {run_id: journal.state(run_id) for run_id in ("done", "open")}
    await journal.aclose()

    journal = await DuckDBJournal.open(path)
    assert list(journal.open_runs()) == ["open"]
    assert {run_id: journal.state(run_id) for run_id in states} == states
    assert journal.meta("open") == meta
    assert journal.find_by_key("ann/1") == ("open", "h")
    with pytest.raises(KeyReused):
        journal.put("another", [started()], meta=meta)
    again = journal.put("open", [planned(["a"])], key="plan")
    await again.committed()
    assert again.events == first.events
    assert journal.put("open", [Warned(message="on", code="c")]).events[0].seq == 3
    await journal.aclose()


async def test_closing_commits_what_is_queued(path: Path) -> None:
    journal = await DuckDBJournal.open(path)
    for step in whole_run("r"):
        receipt = journal.put("r", step.events, step.attempts)
    await journal.aclose()
    await receipt.committed()
    assert not path.with_name("journal.duckdb.wal").exists()
    journal = await DuckDBJournal.open(path)
    assert journal.state("r").complete
    await journal.aclose()


async def test_a_commit_that_fails_is_told_to_all_who_wait_and_ends_the_journal(path: Path) -> None:
    journal = await DuckDBJournal.open(path)
    await journal.put("r", [started()]).committed()
    journal._database.cursor().execute("DROP TABLE kept.history CASCADE")
    reader = asyncio.create_task(journal.tail("r", 14))
    receipts = [journal.put("r", step.events, step.attempts) for step in list(whole_run("r"))[1:]]
    for receipt in receipts:
        with pytest.raises(JournalError, match="cannot be written"):
            await receipt.committed()
    with pytest.raises(JournalError, match="cannot be written"):
        await reader
    with pytest.raises(JournalError, match="cannot be written"):
        journal.put("s", [started()])
    assert len(await journal.tail("r", 0)) == 1
    await journal.aclose()
