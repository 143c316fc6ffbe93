"""The fault table: what each failure of a provider does to a run on Ray, where there is another model and where not.

What is no call's failure has its tests elsewhere: `ELSEWHERE` names them row by row.
"""

from __future__ import annotations

import ast
import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ai3ray.client.client import Client
from ai3ray.connect import connect
from ai3ray.domain.events import Event
from ai3ray.domain.result import RunResult
from ai3ray.simulator import Simulator
from ai3ray.simulator.billing import BilledCall
from tests.conftest import quiet
from tests.executor.graphs import asked, wide

LONGEST_S = 30.0
"""A case that takes longer hangs."""
SPARE = {"anthropic": "claude-haiku-5-5", "openai": "gpt-6-luna", "xai": "grok-4.20"}
"""A model of each provider that no fault is about: it shows afterwards that the provider serves again."""
PAIR = ("claude-sonnet-5-5", "gpt-6.1-terra")
"""Models of two providers, either of which may be the one that fails. Neither is xAI's: a rate limit would leave
it fewer permits than other tests count on."""


@dataclass(frozen=True)
class Row:
    """A failure of one call, and what is to follow."""

    name: str
    """The row of the table, and which of its faults."""
    fault: dict[str, Any]
    """What the simulator does."""
    error: str
    """Type of the error."""
    model: str
    """The model that fails alone."""
    lasting: bool = False
    """Waiting does not mend it: the call is not made again."""
    out: bool = False
    """It takes its provider out, with a warning."""
    maybe_paid: bool = False
    """The call may have been billed."""
    replied: bool = True
    """There was a reply, which named the request."""
    words: str = ""
    """What the provider says."""


def struck(fault: str, **more: Any) -> dict[str, Any]:
    return {"fault": fault, **more}


WAIT = {"retry_after": 0.2}
ROWS = (
    Row("429: with retry-after", struck("rate_limit", **WAIT), "rate_limited", "gpt-6.1-sol", words="slow down"),
    Row("429: without retry-after", struck("rate_limit_no_wait"), "rate_limited", "claude-opus-4-6"),
    Row("429: growth limit", struck("ramp_limit", **WAIT), "rate_limited", "claude-opus-4-7", words="too fast"),
    Row("quota: spent", struck("quota"), "quota_spent", "gpt-6.1-sol", lasting=True, out=True, words="credits"),
    Row("quota: 402", struck("billing"), "quota_spent", "claude-opus-5", lasting=True, out=True, words="billing"),
    Row("5xx: 500", struck("server_error"), "server_fault", "claude-opus-5-5", words="Internal"),
    Row("5xx: 502", struck("bad_gateway"), "server_fault", "gpt-6.1-sol", maybe_paid=True),
    Row("5xx: 503 with retry-after", struck("unavailable", **WAIT), "overloaded", "gpt-6.2-sol"),
    Row("5xx: 504", struck("timeout"), "server_fault", "grok-4.7", maybe_paid=True),
    Row("5xx: 529", struck("overloaded"), "overloaded", "claude-opus-4-8", words="Overloaded"),
    Row("timeout: 408", struck("too_large", status=408), "timeout", "grok-4.6", maybe_paid=True),
    Row(
        "outage: no connection",
        struck("refuse_connection"),
        "connect_failed",
        "grok-4.3",
        maybe_paid=True,
        replied=False,
    ),
    Row("stream: cut", struck("cut"), "stream_cut", "claude-fable-5-2", maybe_paid=True),
    Row("stream: clean end", struck("eof"), "stream_cut", "gpt-6.1-sol", maybe_paid=True),
    Row("stream: error inside", struck("error_event"), "overloaded", "claude-mythos-5-2", maybe_paid=True),
    Row("garbage: half an event", struck("malformed"), "malformed_reply", "grok-4.7", maybe_paid=True),
    Row("garbage: no stream", struck("not_a_stream"), "malformed_reply", "gpt-6.2-sol", maybe_paid=True),
    Row("context: overflow", struck("context_overflow"), "context_overflow", "claude-opus-4-8", lasting=True),
    Row("refused: 400", struck("too_large", status=400), "call_refused", "gpt-6.1-sol", lasting=True, words="maximum"),
    Row("refused: 413", struck("too_large"), "call_refused", "claude-opus-4-7", lasting=True, words="maximum"),
    Row("refused: 422", struck("too_large", status=422), "call_refused", "grok-4.6", lasting=True, words="maximum"),
    Row("refused: 404", struck("unknown_model"), "model_gone", "grok-4.7", lasting=True, words="grok-4.7"),
    Row("key: 401", struck("auth"), "key_refused", "gpt-6.2-sol", lasting=True, out=True, words="revoked"),
    Row("key: 403", struck("forbidden"), "key_refused", "claude-opus-5", lasting=True, out=True, words="permission"),
)

ELSEWHERE = {
    "invalid JSON plan": "executor/test_contract.py::test_a_plan_that_stays_invalid_becomes_one_task_and_says_so",
    "killed runner": "executor/ray/test_ray.py::test_a_killed_runner_costs_only_its_attempts",
    "expired lease": "pool/test_pool.py"
    "::test_a_lease_that_runs_out_gives_its_permit_to_the_next_and_fences_off_the_late_result",
    "killed core": "executor/ray/test_ray.py::test_a_killed_core_goes_on_from_the_journal",
    "killed head": "deployments/local_head/test_head_process.py"
    "::test_a_killed_head_takes_all_it_started_along_and_the_next_command_replaces_it",
    "full disk": "journal/test_crash.py::test_a_full_disk_loses_nothing_that_was_acknowledged",
    "torn record": "journal/test_opening.py::test_a_file_that_cannot_be_a_journal_is_refused_in_one_line",
    "duplicate submit": "executor/test_contract.py::test_the_same_key_gives_the_same_run",
    "client disconnect": "server/test_event_stream.py::test_a_client_that_leaves_does_not_stop_its_run",
    "cancel": "executor/test_cancel.py::test_after_a_cancel_no_call_begins_and_every_open_one_is_closed",
    "deadline": "executor/test_contract.py::test_a_run_past_its_deadline_is_cancelled_with_what_it_has",
    "clock skew": "providers/test_rates.py::test_how_long_to_wait",
    "read timeouts": "providers/test_faults.py::test_a_stall_between_two_pieces_has_its_own_clock",
    "breaker and probes": "pool/test_faults.py::test_outages_open_the_breaker_and_one_probe_closes_it",
    "slow consumer": "server/test_event_stream.py::test_a_slow_reader_gets_every_event",
    "poison task": "executor/test_conductor.py"
    "::test_a_task_that_kills_its_runners_fails_and_says_so_and_its_siblings_go_on",
    "money cap": "executor/test_budget.py::test_a_run_over_budget_stops_with_what_it_has_on_every_host",
    "cycle": "domain/test_plan.py::test_an_edge_that_closes_a_circle_is_refused_and_the_circle_named",
    "Ray gone": "chaos/test_chaos.py::test_whoever_is_killed_the_promises_are_kept",
}


@dataclass
class Ended:
    """A run that has ended, and all that is known of it."""

    result: RunResult
    events: list[Event]
    attempts: list[dict[str, Any]]
    calls: list[BilledCall]
    """What the simulator served."""
    kinds: Counter[str] = field(init=False)

    def __post_init__(self) -> None:
        self.kinds = Counter(event.type for event in self.events)

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]


@pytest.fixture
async def client(head_home, simulator) -> AsyncIterator[Client]:
    """The session's head. Afterwards every provider that failed has answered again: nothing is left to the next row."""
    simulator.set_latency(first_token_s=0.005, total_s=0.01)
    async with connect(head_home.settings, head_home.env, notify=quiet) as connected:
        cold = not any(view.calls for view in await connected.models())
        for model in SPARE.values() if cold else ():  # the session's first calls wait for Ray and load the SDKs
            await connected.run(asked(wide(1), models=(model,), verify=False))
        simulator.ledger.reset()
        yield connected
        simulator.set_faults()
        struck = [call for call in simulator.ledger.calls if call.fault or call.status != 200]
        limited = {call.model for call in struck if call.status == 429}  # what it is told to wait is its class's own
        for model in sorted({SPARE[call.provider] for call in struck} | limited):
            mended = await connected.run(asked(wide(1), models=(model,), verify=False))
            assert mended.status == "succeeded"
        async with asyncio.timeout(LONGEST_S):
            while limited and await held_back(connected, limited):
                pass


async def held_back(client: Client, limited: set[str]) -> bool:
    """Make a call, and return whether one of these models has to wait before its next one: each call starts a pause."""
    accepted = await client.submit(asked(wide(1), models=(*sorted(limited), *SPARE.values()), verify=False))
    (decision,) = [event async for event in client.events(accepted.run_id) if event.type == "decision"]
    paused = {decision.model, *(one.model for one in decision.candidates if one.excluded)}
    return any(model.partition("/")[2] in limited for model in paused)


async def ended(client: Client, simulator: Simulator, *rules: dict[str, Any], tasks: int = 1, **fields: Any) -> Ended:
    """Run so many tasks under these faults."""
    simulator.set_faults(*rules)
    async with asyncio.timeout(LONGEST_S):
        accepted = await client.submit(asked(wide(tasks), **{"verify": False, **fields}))
        events = [event async for event in client.events(accepted.run_id)]
        result = await client.result(accepted.run_id)
        table = await client.sql(f"select * from attempts where run_id = '{accepted.run_id}' order by started_at, n")
    attempts = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return Ended(result, events, attempts, list(simulator.ledger.calls))


def check_sums(run: Ended) -> None:
    """What holds of every run: one artifact per answered task, one row per call, money that adds up."""
    assert run.kinds["task_artifact"] == sum(task.status == "succeeded" for task in run.result.tasks)
    assert (run.kinds["stats"], run.events[-1].type) == (1, "stats")
    costs = [row["cost_usd"] for row in run.attempts if row["cost_usd"] is not None]
    assert all(math.isfinite(cost) and 0 <= cost < 0.5 for cost in costs)
    assert run.result.stats.cost_usd == pytest.approx(sum(costs), abs=1e-9)
    assert len(run.attempts) == len(run.calls) == run.result.stats.calls


def check_failed_call(run: Ended, row: Row) -> None:
    """The failed call's row and event name the error, the provider, the model and the request."""
    attempt, call = run.attempts[0], run.calls[0]
    request_id = call.request_id if row.replied else None
    assert (attempt["status"], attempt["error_type"], attempt["request_id"]) == ("failed", row.error, request_id)
    assert (attempt["provider"], attempt["model"]) == (call.provider, f"{call.provider}/{call.model}")
    assert attempt["maybe_paid"] is row.maybe_paid
    if not row.maybe_paid:
        assert (attempt["cost_usd"] or 0, attempt["input_tokens"], attempt["output_tokens"]) == (0, 0, 0)
    if call.status == 200 and row.maybe_paid:
        assert attempt["usage_estimated"]


def check_error(error: Any, row: Row, call: BilledCall) -> None:
    assert error.type == row.error
    assert (error.provider, error.model) == (call.provider, call.model)
    assert error.request_id == (call.request_id if row.replied else None)
    assert row.words in error.message
    assert error.message


@pytest.mark.ray
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_a_failed_call_is_made_good_by_another_model(client, simulator, row):
    run = await ended(client, simulator, {**row.fault, "when": {"first": 1}}, models=PAIR)
    failed, answered = run.calls
    assert run.result.status == "succeeded"
    assert (run.result.tasks[0].provider, run.result.tasks[0].attempts) == (answered.provider, 2)
    assert failed.provider != answered.provider
    check_failed_call(run, row)
    (retry,) = run.of("task_retry")
    check_error(retry.error, Row(**{**vars(row), "words": ""}), failed)
    assert run.attempts[1]["status"] == "succeeded"
    assert run.attempts[1]["cost_usd"] == pytest.approx(answered.cost_usd, abs=1e-9)
    outs = [event.message for event in run.of("warning") if event.code == "provider_out"]
    assert len(outs) == row.out
    assert all(f"{failed.provider.upper()}_API_KEY" in out and failed.request_id in out for out in outs)
    check_sums(run)


@pytest.mark.ray
@pytest.mark.parametrize("row", [row for row in ROWS if not row.lasting], ids=lambda row: row.name)
async def test_what_passes_is_waited_out_where_there_is_one_model_only(client, simulator, row):
    run = await ended(client, simulator, {**row.fault, "when": {"first": 1}}, models=(row.model,))
    assert run.result.status == "succeeded"
    assert [call.model for call in run.calls] == [row.model] * 2
    check_failed_call(run, row)
    check_error(run.of("task_retry")[0].error, row, run.calls[0])
    waited = run.calls[1].started - run.calls[0].ended
    assert waited >= (row.fault.get("retry_after") or {"rate_limited": 1.0}.get(row.error, 0.25)) - 0.02
    check_sums(run)


@pytest.mark.ray
@pytest.mark.parametrize("row", [row for row in ROWS if row.lasting], ids=lambda row: row.name)
async def test_what_lasts_ends_the_run_at_once_with_the_providers_words(client, simulator, row):
    run = await ended(client, simulator, row.fault, models=(row.model,))
    assert run.result.status == "failed"
    (call,) = run.calls
    check_failed_call(run, row)
    check_error(run.result.error, row, call)
    check_error(run.result.tasks[0].error, row, call)
    assert [event.code for event in run.of("warning")].count("provider_out") == row.out
    check_sums(run)


@pytest.mark.ray
@pytest.mark.parametrize("name", ["5xx: 529", "stream: cut"])
async def test_what_does_not_pass_after_all_ends_the_run_with_the_last_failure(client, simulator, name):
    row = next(row for row in ROWS if row.name == name)
    run = await ended(client, simulator, row.fault, models=(row.model,))
    assert run.result.status == "failed"
    assert len(run.calls) == 4
    check_failed_call(run, row)
    check_error(run.result.error, row, run.calls[-1])
    check_sums(run)


@pytest.mark.ray
async def test_an_outage_opens_the_breaker_others_take_over_and_one_probe_closes_it(client, simulator):
    """It opens at more failures in a row than one question makes: it is the account's, not the run's."""
    outage = struck("overloaded", provider="openai")
    for model in ("gpt-6.2-astra", "gpt-6.1-terra"):
        await ended(client, simulator, outage, models=(model,), deadline_s=4.0)
    simulator.reset()
    away = await ended(client, simulator, outage, models=("gpt-6.1-sol", "grok-4.7"))
    assert [call.provider for call in away.calls] == ["xai"]
    excluded = {one.model: one.excluded for one in away.of("decision")[0].candidates}
    assert excluded["openai/gpt-6.1-sol"].startswith("failing, paused for")
    simulator.reset()
    back = await ended(client, simulator, models=("gpt-6.1-sol",))  # held until the breaker lets one call try
    assert (back.result.status, len(back.calls)) == ("succeeded", 1)


@pytest.mark.ray
@pytest.mark.parametrize("fault", ["rate_limit", "stall"])
async def test_what_never_ends_is_ended_by_the_deadline(client, simulator, fault):
    rule = {"fault": fault, "seconds": 60, "retry_after": 0.2}
    run = await ended(client, simulator, rule, models=("gpt-6.2-sol",), deadline_s=2.5)
    assert (run.result.status, run.result.error.type) == ("cancelled", "deadline")
    assert run.result.stats.seconds < 7
    ends = [(attempt["status"], attempt["maybe_paid"]) for attempt in run.attempts]
    if fault == "stall":
        assert ends == [("cancelled", True)]
    else:
        assert ends.count(("failed", False)) >= len(ends) - 1 > 0  # one may be in flight as the time is up


@pytest.mark.ray
@pytest.mark.parametrize("model", ["claude-opus-5", "grok-4.7"])
@pytest.mark.parametrize("fault", ["max_tokens", "refusal", "empty"])
async def test_an_answer_that_is_none_is_no_success(client, simulator, fault, model):
    """Cut off: once more with twice the cap. Refused or empty: that model is not asked again."""
    run = await ended(client, simulator, struck(fault, model=model), models=(model,))
    assert run.result.status == "failed"
    assert run.result.tasks[0].output is None
    assert len(run.calls) == (2 if fault == "max_tokens" else 1)
    assert model in run.result.error.message
    assert all(attempt["status"] == "succeeded" and attempt["cost_usd"] for attempt in run.attempts if fault != "empty")
    check_sums(run)
    simulator.reset()
    both = await ended(client, simulator, struck(fault, model=model), models=(model, "gpt-6.1-sol"))
    assert both.result.status == "succeeded"
    assert both.result.tasks[0].model == "openai/gpt-6.1-sol"
    check_sums(both)


@pytest.mark.ray
@pytest.mark.parametrize(
    ("fault", "model"),
    [
        ("negative_usage", "claude-opus-4-6"),
        ("string_usage", "claude-opus-4-6"),
        ("no_usage", "gpt-6.1-terra"),
        ("huge_usage", "gpt-6.1-terra"),
        ("zero_usage", "grok-4.6"),
        ("negative_usage", "grok-4.6"),
        ("huge_usage", "grok-4.6"),
        ("string_usage", "grok-4.6"),
    ],
)
async def test_a_provider_that_lies_about_usage_is_not_believed(client, simulator, fault, model):
    run = await ended(client, simulator, struck(fault), models=(model,))
    assert run.result.status == "succeeded"
    (attempt,), (call,) = run.attempts, run.calls
    assert attempt["usage_estimated"]
    assert 0.2 * call.cost_usd < attempt["cost_usd"] < 5 * call.cost_usd
    assert 0 < attempt["input_tokens"] < 10_000
    assert 0 < attempt["output_tokens"] < 10_000
    assert 0 <= attempt["cached_tokens"] <= attempt["input_tokens"]
    check_sums(run)


@pytest.mark.ray
async def test_a_provider_that_answers_garbage_harms_its_own_calls_only(client, simulator):
    kinds = ("malformed", "not_a_stream", "eof", "string_usage")
    rules = [struck(kind, provider="openai", when={"every": len(kinds) - n}) for n, kind in enumerate(kinds)]
    run = await ended(client, simulator, *rules, tasks=16, models=("gpt-6.1-sol", "grok-4.7"), max_concurrency=8)
    assert run.result.status == "succeeded"
    broken = [attempt for attempt in run.attempts if attempt["status"] == "failed"]
    assert broken
    assert {attempt["provider"] for attempt in broken} == {"openai"}
    assert {attempt["error_type"] for attempt in broken} <= {"malformed_reply", "stream_cut"}
    assert Counter(event.task_id for event in run.of("task_artifact")) == {f"t{n}": 1 for n in range(16)}
    check_sums(run)


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_the_other_rows_have_their_tests(where):
    path, _, name = where.partition("::")
    tree = ast.parse((Path(__file__).parents[1] / path).read_text())
    tests = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert any(test.startswith(name) for test in tests)
