"""ai3ray from Python."""

from __future__ import annotations

import asyncio

import pytest

import ai3ray
from ai3ray.domain.plan import parse_graph
from ai3ray.errors import RequestError, UsageError

PLAN = {"tasks": [{"id": "a", "prompt": "one"}, {"id": "b", "prompt": "two", "depends_on": ["a"]}]}


def test_run_works_in_this_process_and_gives_the_result(home):
    result = ai3ray.run(plan=PLAN, inline=True)
    assert isinstance(result, ai3ray.RunResult)
    assert (result.status, [task.id for task in result.tasks]) == ("succeeded", ["a", "b"])


def test_a_plan_may_be_a_task_graph_and_plan_gives_one(home):
    graph = ai3ray.plan(plan=parse_graph(PLAN, max_tasks=5), inline=True)
    assert [task.depends_on for task in graph.tasks] == [(), ("a",)]
    assert ai3ray.run(plan=graph, inline=True).status == "succeeded"


async def test_stream_yields_events_up_to_stats(home, server):
    events = [event async for event in ai3ray.stream("x", server=server)]
    assert (events[0].type, events[-1].type) == ("run_start", "stats")


async def test_a_wrong_field_is_refused_before_anything_starts(home):
    with pytest.raises(RequestError, match="colour"):
        await ai3ray.arun("x", inline=True, colour="red")
    assert [path.name for path in home.iterdir()] == ["ai3.toml"]


async def test_inside_a_loop_run_says_what_to_do(home):
    with pytest.raises(UsageError, match="arun"):
        ai3ray.run("x", inline=True)


async def test_cancelling_arun_cancels_the_run(home, server, engine):
    running = asyncio.create_task(ai3ray.arun("hold", server=server))
    await engine.asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert engine.all["run_1"].state.status == "cancelled"


async def test_settings_fill_what_a_server_s_request_leaves_open(home, server, engine):
    await ai3ray.arun("x", server=server, max_tasks=3)
    request = engine.all["run_1"].request
    assert (request.max_tasks, request.max_concurrency, request.verify, request.repair_limit) == (3, 4, False, None)
