"""Judged, repaired, redone by the next-best model, or failed: with the simulator writing the defects."""

from __future__ import annotations

import pytest

from tests.executor.graphs import asked, wide

TWO = ("claude-sonnet-5-5", "grok-4.7", "gpt-6-luna")


async def history(client, request):
    accepted = await client.submit(request)
    return [event async for event in client.events(accepted.run_id)]


def told(events, task_id="t0"):
    return [event.type for event in events if event.task_id == task_id and event.type != "decision"]


async def test_a_defect_goes_back_to_its_author_who_mends_it(client, simulator):
    simulator.set_faults({"contains": "subject 0", "when": {"first": 1}, "fault": "defect"})
    events = await history(client, asked(wide(1), models=TWO))
    assert told(events) == [
        "task_start",
        "task_verified",
        "task_repaired",
        "task_start",
        "task_verified",
        "task_artifact",
    ]
    first, second = (event.model for event in events if event.type == "task_start")
    assert first == second
    repaired = next(event for event in events if event.type == "task_repaired")
    assert repaired.attempt == 1
    assert repaired.defects
    prompts = [call.turns[-1][1] for call in simulator.ledger.calls]
    (mending,) = [prompt for prompt in prompts if "was sent back" in prompt]
    assert repaired.defects[0].problem in mending
    assert mending.endswith("Write about subject 0.")
    assert "DEFECT" not in next(event.text for event in events if event.type == "task_artifact")


async def test_two_defects_in_a_row_bring_the_next_best_model(client, simulator):
    simulator.set_faults({"contains": "subject 0", "when": {"first": 1}, "fault": "defect"})
    events = await history(client, asked(wide(1), models=TWO, repair_limit=0))
    first, second = (event.model for event in events if event.type == "task_start")
    assert first != second
    assert told(events)[-2:] == ["task_verified", "task_artifact"]


async def test_three_defects_fail_the_task_and_its_siblings_finish(client, simulator):
    simulator.set_faults({"contains": "subject 1", "fault": "defect"})
    events = await history(client, asked(wide(3), models=TWO))
    result = await client.result(events[0].run_id)
    assert {task.id: task.status for task in result.tasks} == {"t0": "succeeded", "t1": "failed", "t2": "succeeded"}
    assert result.status == "partial"
    started = [event.model for event in events if event.type == "task_start" and event.task_id == "t1"]
    assert len(started) == 3
    assert started[0] == started[1] != started[2]
    assert told(events, "t1")[-1] == "task_failed"


async def test_without_verification_there_is_no_judge_and_no_repair(client, simulator):
    simulator.set_faults({"contains": "subject 0", "fault": "defect"})
    events = await history(client, asked(wide(1), models=TWO, verify=False))
    assert told(events) == ["task_start", "task_artifact"]
    assert len(simulator.ledger.calls) == 1
    assert (await client.result(events[0].run_id)).tasks[0].verdict is None


async def test_with_one_model_there_is_no_judge_and_the_run_says_so_once(client, simulator):
    result = await client.run(asked(wide(3), models=("grok-4.7",)))
    assert result.status == "succeeded"
    assert {task.verdict.by for task in result.tasks} == {"rules"}
    assert len([warning for warning in result.warnings if "not judged" in warning]) == 1


async def test_a_judge_that_fails_does_not_fail_the_task(client, simulator):
    simulator.set_faults({"contains": "You check one answer", "fault": "server_error"})
    result = await client.run(asked(wide(1), models=("claude-sonnet-5-5", "grok-4.7")))
    assert result.status == "succeeded"
    assert result.tasks[0].verdict.by == "rules"
    assert any("rules alone" in warning for warning in result.warnings)


async def test_judging_is_a_small_part_of_the_bill(client, simulator):
    result = await client.run(asked(prompt="Write a 3-section blog post about AI"))
    assert 0 < result.stats.judge_cost_usd <= 0.2 * result.stats.cost_usd
    judges = await client.sql(f"select sum(cost_usd) from attempts where run_id = '{result.run_id}' and role = 'judge'")
    assert judges.rows[0][0] == pytest.approx(result.stats.judge_cost_usd)


PARTS = wide(3) | {"assembly": "synthesize"}


async def test_a_model_merges_the_parts_and_the_merging_is_streamed(client, simulator):
    pieces, final, roles = "", None, []
    async for event in client.stream(asked(PARTS, prompt="Tell me about three subjects")):
        if event.type == "assemble_delta":
            pieces += event.text
        elif event.type == "decision":
            roles.append(event.role)
        elif event.type == "final":
            final = event
    assert final is not None
    assert final.output == pieces
    assert roles.count("assemble") == 1
    result = await client.result(final.run_id)
    assert all(task.output in result.output for task in result.tasks)


async def test_when_merging_loses_a_part_the_parts_are_joined_as_they_are(client, simulator):
    simulator.set_faults({"contains": "You make one answer from parts", "fault": "defect"})
    result = await client.run(asked(PARTS))
    assert result.status == "succeeded"
    assert all(task.output in result.output for task in result.tasks)
    assert any("joined as they are" in warning and "lost" in warning for warning in result.warnings)


async def test_merging_one_part_needs_no_model(client, simulator):
    simulator.reset()
    await client.run(asked(wide(1) | {"assembly": "synthesize"}, verify=False))
    assert len(simulator.ledger.calls) == 1
