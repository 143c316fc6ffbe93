"""What the engine promises, the same inline and on Ray, with the simulator behind the official SDKs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from ai3ray.domain.events import Event
from ai3ray.domain.run import fold
from ai3ray.errors import Ai3Error, MissingKey, PlanError, UnknownModel, UnknownRun
from tests.executor.graphs import DIAMOND, asked, wide

TEA = ["Collect the facts about tea.", "Write about green tea.", "Write about black tea.", "Compare the two teas."]


async def history(client, request) -> list[Event]:
    """All journaled events of a run to its end."""
    accepted = await client.submit(request)
    return [event async for event in client.events(accepted.run_id)]


def only(events, kind, task_id=None):
    return [event for event in events if event.type == kind and task_id in {None, event.task_id}]


async def test_a_prompt_becomes_a_plan_runs_in_parallel_and_is_assembled(client, simulator):
    events = await history(client, asked(prompt="Write a 3-section blog post about AI"))
    planned = only(events, "plan")[-1]
    assert (planned.phase, planned.source, len(planned.plan["tasks"])) == ("completed", "model", 3)
    result = await client.result(events[0].run_id)
    assert result.status == "succeeded"
    assert [task.status for task in result.tasks] == ["succeeded"] * 3
    assert all(task.title in result.output for task in result.tasks)
    assert result.stats.calls == 7  # the plan, three tasks, and a judge for each
    assert {task.verdict.by for task in result.tasks} != {"rules"}
    assert all(task.verdict.by != task.model for task in result.tasks)


async def test_siblings_overlap_and_nothing_starts_before_its_dependencies_are_committed(client, simulator):
    events = await history(client, asked(DIAMOND))
    start = {event.task_id: event.seq for event in only(events, "task_start")}
    committed = {event.task_id: event.seq for event in only(events, "task_artifact")}
    for task in DIAMOND["tasks"]:
        assert all(committed[dep] < start[task["id"]] for dep in task.get("depends_on", ()))
    assert max(start["left"], start["right"]) < min(committed["left"], committed["right"])
    calls = {call.turns[-1][1].rsplit("\n", 1)[-1]: call for call in simulator.ledger.calls}
    green, black = calls[TEA[1]], calls[TEA[2]]
    assert max(green.started, black.started) < min(green.ended, black.ended)


async def test_the_history_has_no_gaps_ends_with_stats_and_adds_up_to_the_result(client, simulator):
    events = await history(client, asked(DIAMOND))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events][-2:] == ["final", "stats"]
    state, result = fold(events), await client.result(events[0].run_id)
    assert (state.status, state.output) == (result.status, result.output)
    assert {task.id: task.output for task in result.tasks} == {task.id: task.output for task in state.tasks.values()}


async def test_a_task_carries_its_own_prompt_once_and_no_other_tasks(client, simulator):
    await history(client, asked(DIAMOND))
    prompts = [call.turns[-1][1] for call in simulator.ledger.calls]
    for own in TEA:
        (prompt,) = [text for text in prompts if text.endswith(own)]
        assert prompt.count(own) == 1
        assert not any(other in prompt for other in TEA if other != own)


async def test_what_was_billed_is_what_the_run_says_it_cost(client, simulator):
    events = await history(client, asked(prompt="Write a 3-section blog post about AI"))
    run_id = events[0].run_id
    billed = simulator.ledger.to_json()["totals"]["cost_usd"]
    result = await client.result(run_id)
    table = await client.sql(f"select sum(cost_usd), count(*) from attempts where run_id = '{run_id}'")
    assert billed > 0
    assert result.stats.cost_complete
    assert result.stats.cost_usd == pytest.approx(billed, abs=1e-9)
    assert table.rows[0] == (pytest.approx(billed, abs=1e-9), result.stats.calls)


async def test_every_call_is_decided_on_with_all_terms_shown(client, simulator):
    events = await history(client, asked(DIAMOND))
    decisions = only(events, "decision")
    assert Counter(decision.role for decision in decisions) == {"task": 4, "judge": 4}
    for decision in decisions:
        scores = [candidate.score for candidate in decision.candidates if candidate.excluded is None]
        assert scores == sorted(scores, reverse=True)
        assert decision.candidates[0].model == decision.model
        assert {"quality", "success", "latency", "cost"} <= decision.candidates[0].terms.keys()


async def test_when_one_provider_fails_its_tasks_end_elsewhere(client, simulator):
    simulator.set_faults({"provider": "anthropic", "fault": "server_error"})
    result = await client.run(asked(wide(6)))
    assert result.status == "succeeded"
    assert {task.provider for task in result.tasks} <= {"openai", "xai"}


async def test_a_refused_key_takes_its_provider_out_with_a_warning(client, simulator):
    simulator.set_faults({"when": {"first": 1}, "fault": "auth"})
    result = await client.run(asked(wide(1), models=("gpt-6.1-sol", "grok-4.7")))
    assert result.status == "succeeded"
    refused, answered, *_ = simulator.ledger.calls
    assert (refused.status, answered.provider) == (401, result.tasks[0].provider)
    assert refused.provider != answered.provider
    warning, skipped = result.warnings
    assert "not judged" in skipped  # the other model is its author
    assert f"{refused.provider.upper()}_API_KEY" in warning
    assert refused.request_id in warning


async def test_when_no_provider_is_left_the_run_fails_with_the_providers_words(client, simulator):
    simulator.set_faults({"fault": "auth"})
    result = await client.run(asked(prompt="Say hello", models=("claude-sonnet-5-5",)))
    assert result.status == "failed"
    assert result.error.provider == "anthropic"
    assert result.error.request_id


async def test_a_failed_task_poisons_only_its_descendants(client, simulator):
    simulator.set_faults({"contains": "black tea", "fault": "refusal"})
    events = await history(client, asked(DIAMOND, assembly="concat", models=("claude-sonnet-5-5",)))
    result = await client.result(events[0].run_id)
    assert {task.id: task.status for task in result.tasks} == {
        "top": "succeeded",
        "left": "succeeded",
        "right": "failed",
        "bottom": "skipped",
    }
    assert only(events, "task_skipped")[0].because == "right"
    assert result.status == "failed"  # the one sink has no answer


async def test_holes_are_named_and_the_run_is_partial(client, simulator):
    simulator.set_faults({"contains": "subject 1", "fault": "refusal"})
    events = await history(client, asked(wide(3), models=("claude-sonnet-5-5",)))
    assert only(events, "assemble_start")[0].holes == ("t1",)
    final = only(events, "final")[0]
    assert final.status == "partial"
    assert "t1" in final.output


async def test_a_rejected_answer_goes_to_the_next_best_model(client, simulator):
    simulator.set_faults({"when": {"first": 1}, "fault": "empty"})
    events = await history(client, asked(wide(1), models=("claude-sonnet-5-5", "grok-4.7")))
    first, second = (event.model for event in only(events, "task_start"))
    assert first != second == only(events, "task_artifact")[0].model
    assert [event.verdict.passed for event in only(events, "task_verified")][-1] is True


async def test_a_truncated_answer_is_never_committed(client, simulator):
    simulator.set_faults({"when": {"first": 1}, "fault": "max_tokens"})
    events = await history(client, asked({"tasks": [{"id": "t", "prompt": "Write a lot."}]}))
    assert [event.verdict.passed for event in only(events, "task_verified")] == [False, True]
    assert len(only(events, "task_artifact")) == 1


async def test_a_plan_that_stays_invalid_becomes_one_task_and_says_so(client, simulator):
    simulator.set_faults(
        {"contains": "asks for a plan", "fault": "malformed"}, {"when": {"first": 2}, "fault": "empty"}
    )
    events = await history(client, asked(prompt="Write a 3-section blog post about AI"))
    assert only(events, "plan")[-1].source == "fallback"
    assert [event.code for event in only(events, "warning")] == ["fallback_plan"]
    assert only(events, "final")[0].status == "succeeded"


async def test_cancelling_closes_the_sockets_and_gives_the_permits_back(client, simulator):
    simulator.set_faults({"contains": "subject", "fault": "stall", "seconds": 60})
    accepted = await client.submit(asked(wide(5)))
    events = client.events(accepted.run_id)
    started = Counter()
    async for event in events:
        started[event.type] += 1
        if started["task_start"] == 5:
            break
    await events.aclose()
    result = await client.cancel(accepted.run_id)
    assert result.status == "cancelled"
    assert {task.status for task in result.tasks} == {"cancelled"}
    async with asyncio.timeout(2):
        while simulator.ledger.in_flight:
            await asyncio.sleep(0.01)
    simulator.reset()
    again = await client.run(asked(wide(5)))
    assert again.status == "succeeded"


async def test_a_run_never_has_more_calls_in_flight_than_it_may(client, simulator):
    result = await client.run(asked(wide(10), max_concurrency=2))
    assert result.status == "succeeded"
    assert simulator.ledger.to_json()["max_in_flight"] == 2


async def test_the_same_key_gives_the_same_run(client, simulator):
    first = await client.submit(asked(wide(1)), key="once")
    second = await client.submit(asked(wide(1)), key="once")
    assert second.run_id == first.run_id
    with pytest.raises(Ai3Error, match="Idempotency-Key"):
        await client.submit(asked(wide(2)), key="once")
    assert (await client.run(asked(wide(1)), key="once")).status == "succeeded"


async def test_only_a_plan_costs_one_call_and_runs_no_task(client, simulator):
    preview = await client.plan(asked(prompt="Write a 3-section blog post about AI"))
    assert len(preview.plan.tasks) == 3
    assert preview.estimate["cost_usd"] > 0
    assert preview.estimate["seconds"] > 0
    assert simulator.ledger.to_json()["totals"]["calls"] == 1


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"plan": {"tasks": [{"id": "a", "prompt": "x", "depends_on": ["a"]}]}}, PlanError, "'a': depends on itself"),
        ({"plan": wide(30)}, PlanError, "30 tasks"),
        ({"prompt": "x", "models": ("nope-1",)}, UnknownModel, "nope-1"),
        ({"prompt": "x", "planner_model": "nope/at-all"}, UnknownModel, "nope/at-all"),
    ],
)
async def test_a_wrong_request_is_refused_before_anything_is_paid(client, simulator, fields, error, words):
    with pytest.raises(error, match=words):
        await client.submit(asked(**fields))
    assert simulator.ledger.to_json()["totals"]["calls"] == 0


async def test_no_key_at_all_names_the_variables(home_folder):
    from ai3ray.connect import connect
    from ai3ray.settings.load import load_settings

    env = {"AI3_HOME": str(home_folder), "AI3_LOCAL_MODEL": str(home_folder / "none.gguf")}
    settings = load_settings(env=env, cwd=home_folder)
    async with connect(settings, env, inline=True, notify=print) as client:
        with pytest.raises(MissingKey, match=r"ANTHROPIC_API_KEY.*AI3_LOCAL_MODEL"):
            await client.submit(asked(wide(1)))


async def test_the_stream_brings_deltas_between_the_events_they_belong_to(client, simulator):
    assert await pieces_before_artifacts(client.stream(asked(wide(3)))) == {"t0", "t1", "t2"}


async def test_a_reader_who_comes_when_a_run_has_ended_misses_none_of_its_deltas(client, simulator):
    accepted = await client.submit(asked(wide(3)), deltas=True)
    assert (await client.wait(accepted.run_id)).status == "succeeded"
    assert await pieces_before_artifacts(client.events(accepted.run_id, deltas=True)) == {"t0", "t1", "t2"}


async def pieces_before_artifacts(events) -> set[str]:
    """The tasks whose pieces came, each task's before its artifact and joined the text of it."""
    pieces: dict[str, str] = {}
    artifacts: dict[str, str] = {}
    async for event in events:
        if event.type == "task_delta":
            assert event.task_id not in artifacts
            pieces[event.task_id] = pieces.get(event.task_id, "") + event.text
        elif event.type == "task_artifact":
            artifacts[event.task_id] = event.text
    assert all(artifacts[task_id] in text for task_id, text in pieces.items())
    return set(pieces)


async def test_the_journal_answers_sql_about_the_run(client, simulator):
    result = await client.run(asked(DIAMOND))
    table = await client.sql(f"select task_id, status, depends_on from tasks where run_id = '{result.run_id}'")
    rows = {row[0]: row for row in table.rows}
    assert {row[1] for row in table.rows} == {"succeeded"}
    depends_on = rows["bottom"][2]
    assert (json.loads(depends_on) if isinstance(depends_on, str) else depends_on) == ["left", "right"]


async def test_a_run_past_its_deadline_is_cancelled_with_what_it_has(client, simulator):
    simulator.set_faults({"contains": "black tea", "fault": "stall", "seconds": 60})
    async with asyncio.timeout(30):
        events = await history(client, asked(DIAMOND, deadline_s=5.0))
    assert [event.by for event in only(events, "cancelled")] == ["deadline"]
    result = await client.result(events[0].run_id)
    assert (result.status, result.tasks[0].status, result.tasks[2].status) == ("cancelled", "succeeded", "cancelled")
    assert (result.error.type, "5.0 s" in result.error.message) == ("deadline", True)
    assert 4.5 <= result.stats.seconds <= 9


async def test_resuming_follows_what_goes_on_and_changes_nothing_that_has_ended(client, simulator):
    accepted = await client.submit(asked(wide(2)))
    assert (await client.resume(accepted.run_id)).run_id == accepted.run_id
    done = await client.wait(accepted.run_id)
    assert done.status == "succeeded"
    calls = simulator.ledger.to_json()["totals"]["calls"]
    assert await client.resume(accepted.run_id) == done
    assert simulator.ledger.to_json()["totals"]["calls"] == calls
    with pytest.raises(UnknownRun):
        await client.resume("run_nowhere")
