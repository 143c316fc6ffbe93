"""Limits, latency and ledger of a running simulator, over HTTP and through the official clients."""

import asyncio
import time

import anthropic as a
import httpx
import openai as o
import pytest

from ai3ray.simulator import Answers, Limits, Pace, SimulatorSettings, running
from ai3ray.simulator.pricing import UsedTokens

from .conftest import anthropic_client, openai_client, says

CLAUDE = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": says()}
CHAT = {"model": "gpt-6-luna", "messages": says()}
GROK = {"model": "grok-4.7", "messages": says()}
LONG = "All rivers run into the sea; yet the sea is not full. " * 100
SHORT = SimulatorSettings.load(
    pace=Pace(first_token_s=0, first_token_sigma=0, total_s=0), answers=Answers(text="Yes, they do.")
)


def limited(**limits):
    return SHORT.model_copy(update={"limits": limits})


def claude_body(cached, question):
    blocks = [{"type": "text", "text": cached, "cache_control": {"type": "ephemeral"}}]
    return {**CLAUDE, "messages": [{"role": "user", "content": [*blocks, {"type": "text", "text": question}]}]}


async def test_each_key_has_limits_of_its_own_and_no_key_too():
    async with running(limited(openai=Limits(rpm=1))) as sim, httpx.AsyncClient(base_url=sim.base_url) as client:

        async def status(**headers):
            return (await client.post("/openai/v1/chat/completions", json=CHAT, headers=headers)).status_code

        assert [await status(authorization="Bearer one") for _ in range(2)] == [200, 429]
        assert [await status(authorization="Bearer two") for _ in range(2)] == [200, 429]
        assert [await status() for _ in range(2)] == [200, 429]
        told = (await client.get("/_sim/limits")).json()
        assert len(told["accounts"]) == 3
        assert [account["refused"] for account in told["accounts"].values()] == [{"requests": 1}] * 3
        by_account = (await client.get("/_sim/ledger")).json()["totals"]["by_account"]
        assert {account: sums["calls"] for account, sums in by_account.items()} == dict.fromkeys(told["accounts"], 2)


async def test_anthropics_refusal_by_a_bucket_has_no_code_and_a_time_to_wait():
    async with running(limited(anthropic=Limits(otpm=60))) as sim, anthropic_client(sim) as client:
        sim.set_limits(anthropic={"otpm": 6})
        for _ in range(2):
            await client.messages.create(**CLAUDE)
        with pytest.raises(a.RateLimitError) as caught:
            await client.messages.create(**CLAUDE)
    headers = caught.value.response.headers
    assert (caught.value.error_code, headers["anthropic-ratelimit-output-tokens-remaining"]) == (None, "0")
    assert 1 <= int(headers["retry-after"]) <= 60
    assert "6 output tokens per minute" in caught.value.message


async def test_output_counts_while_it_is_written_and_a_client_that_leaves_is_counted():
    slow = SHORT.model_copy(update={"limits": {"anthropic": Limits(otpm=10)}, "answers": Answers(tokens=64)})
    async with running(slow) as sim, httpx.AsyncClient(base_url=sim.base_url) as client:
        sim.set_faults({"fault": "stall", "after": 1})
        async with client.stream("POST", "/anthropic/v1/messages", json={**CLAUDE, "stream": True}) as reply:
            async for line in reply.aiter_lines():
                if line == "event: content_block_delta":
                    break
            (account,) = (await client.get("/_sim/limits")).json()["accounts"].values()
        summary = (await client.get("/_sim/ledger", params={"wait_idle": "true", "summary": 1})).json()
    assert account["in_flight"] == 1
    assert 2 <= account["meters"]["output_tokens"]["left"] < 3  # 10 less the 8 of the first piece
    assert summary["totals"]["disconnects"] == summary["totals"]["by_model"][CLAUDE["model"]]["disconnects"] == 1


async def test_openai_counts_a_request_that_it_refuses_for_another_reason():
    async with running(limited(openai=Limits(rpm=1))) as sim, httpx.AsyncClient(base_url=sim.base_url) as client:
        bodies = [{**CHAT, "model": "gpt-4"}, CHAT]
        replies = [await client.post("/openai/v1/chat/completions", json=body) for body in bodies]
    assert [reply.status_code for reply in replies] == [404, 429]


async def test_openai_reserves_the_cap_and_tells_the_wait_to_the_millisecond():
    async with running(limited(openai=Limits(tpm=600))) as sim, openai_client(sim) as client:
        reply = await client.chat.completions.with_raw_response.create(**CHAT, max_completion_tokens=590)
        assert int(reply.headers["x-ratelimit-remaining-tokens"]) == 10
        with pytest.raises(o.RateLimitError) as caught:
            await client.chat.completions.create(**CHAT, max_completion_tokens=400)
    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert 30_000 < int(headers["retry-after-ms"]) <= 39_000
    assert int(headers["retry-after"]) == -(-int(headers["retry-after-ms"]) // 1000)


async def test_xai_lets_no_burst_through():
    async with running(limited(xai=Limits(rpm=6))) as sim, httpx.AsyncClient(base_url=sim.base_url) as client:
        replies = await asyncio.gather(*[client.post("/xai/v1/chat/completions", json=GROK) for _ in range(4)])
    assert sorted(reply.status_code for reply in replies) == [200, 429, 429, 429]
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.json()["code"] == "Some resource has been exhausted"
    assert 1 <= int(refused.headers["retry-after"]) <= 10


async def test_a_spend_cap_is_reached_by_the_real_bill():
    async with running(limited(anthropic=Limits(spend_usd=0.0001))) as sim, anthropic_client(sim) as client:
        for _ in range(3):
            await client.messages.create(**CLAUDE)  # 0.000056 US dollars each
            if sim.ledger.to_json(summary=True)["totals"]["cost_usd"] >= 0.0001:
                break
        with pytest.raises(a.EnforcedSpendLimitReachedError) as caught:
            await client.messages.create(**CLAUDE)
    assert "retry-after" not in caught.value.response.headers


async def test_growth_too_fast_is_slow_down():
    from ai3ray.simulator import Ramp

    async with running(limited(openai=Limits(ramp=Ramp(requests=2)))) as sim, openai_client(sim) as client:
        for _ in range(2):
            await client.chat.completions.create(**CHAT)
        with pytest.raises(o.RateLimitError) as caught:
            await client.chat.completions.create(**CHAT)
    assert (caught.value.code, caught.value.type) == ("slow_down", "rate_limit_error")


def test_the_allowance_drops_to_a_quarter_and_returns(http):
    def limit():
        return http.post("/v1/chat/completions", json=CHAT).headers["x-ratelimit-limit-requests"]

    assert limit() == "20000"
    told = http.post("/_sim/limits", json={"factor": 0.25}).json()
    assert told["limits"]["openai"]["rpm"] == 5000
    assert limit() == "5000"
    http.delete("/_sim/limits")
    assert limit() == "20000"
    http.post("/_sim/limits", json={"openai": {"rpm": 7}})
    assert limit() == "7"
    http.post("/_sim/reset")
    assert limit() == "20000"


def test_a_change_that_is_wrong_is_400_and_named(http):
    for path, body, words in (
        ("/_sim/limits", {"openai": {"rpm": 0}}, "openai.rpm"),
        ("/_sim/limits", None, "give limits"),
        ("/_sim/latency", {"first_token_s": -1}, "first_token_s"),
        ("/_sim/latency", {"colour": 1}, "colour"),
        ("/_sim/latency", {"spec": "soon"}, "soon"),
        ("/_sim/latency", {"data": "nowhere.json"}, "nowhere.json"),
        ("/_sim/latency", [], "pace"),
        ("/_sim/faults", {"rates": {"cut": 2}}, "rates"),
        ("/_sim/faults", {"rates": {"earthquake": 0.1}}, "earthquake"),
    ):
        reply = http.post(path, json=body)
        assert reply.status_code == 400, path
        assert words in reply.json()["error"]["message"]


def test_latency_changes_while_it_runs(http, sim):
    def seconds():
        began = time.perf_counter()
        assert http.post("/v1/chat/completions", json=CHAT).status_code == 200
        return time.perf_counter() - began

    usual = http.get("/_sim/latency").json()
    assert http.post("/_sim/latency", json={"spec": "constant:0.3"}).json()["total_s"] == 0.3
    assert seconds() >= 0.3
    sim.reset()
    assert http.get("/_sim/latency").json() == usual


def test_rates_are_shown_as_the_rules_they_are(http):
    rules = http.post("/_sim/faults", json={"rules": [{"fault": "auth"}], "rates": {"cut": 0.5, "eof": 0.25}}).json()
    assert rules == [
        {"fault": "auth"},
        {"fault": "cut", "when": {"probability": 0.5}},
        {"fault": "eof", "when": {"probability": 0.5}},
    ]


def test_a_summary_has_the_sums_without_the_calls(http, sim):
    http.post("/v1/messages", json=CLAUDE)
    http.post("/v1/messages", json={**CLAUDE, "model": "claude-3-7-sonnet-latest"})
    whole = http.get("/_sim/ledger").json()
    summary = http.get("/_sim/ledger", params={"summary": 1}).json()
    assert summary == {name: value for name, value in whole.items() if name != "calls"}
    totals = summary["totals"]
    assert totals["by_status"] == {"200": 1, "404": 1}
    assert (totals["calls"], totals["refused"], totals["disconnects"]) == (2, 1, 0)
    (sums,) = totals["by_account"].values()
    assert (sums["calls"], sums["max_in_flight"]) == (2, 1)
    assert totals["cost_usd"] == whole["calls"][0]["cost_usd"]


def test_many_small_bills_add_up_to_the_cent():
    from ai3ray.simulator.billing import BillingLedger
    from ai3ray.simulator.wires.parsed_request import ParsedRequest

    ledger = BillingLedger(SHORT)
    asked = ParsedRequest("openai", "gpt-6-luna", False, "", (("user", "?"),), 9)
    for n in range(10_000):
        call = ledger.begin(asked, f"r{n}", "openai/none")
        call.status = 200
        ledger.end(call, UsedTokens(7, output_tokens=3))
    assert ledger.to_json(summary=True)["totals"]["cost_usd"] == 10_000 * (7 * 0.10 + 3 * 0.50) / 1e6


async def test_anthropics_cache_through_its_client_is_told_and_billed(anthropic, sim):
    first, second = [await anthropic.messages.create(**claude_body(LONG, question)) for question in ("One?", "Two?")]
    wrote, read = first.usage.cache_creation_input_tokens, second.usage.cache_read_input_tokens
    assert wrote == read == first.usage.cache_creation.ephemeral_5m_input_tokens == 1350
    assert (first.usage.cache_read_input_tokens, second.usage.cache_creation_input_tokens) == (0, 0)
    for usage, call in zip((first.usage, second.usage), sim.ledger.calls, strict=True):
        told = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
        assert told == call.input_tokens
        bill = usage.input_tokens * 2 + usage.cache_creation_input_tokens * 2.5 + usage.cache_read_input_tokens * 0.1
        assert call.cost_usd == pytest.approx((bill + usage.output_tokens * 10) / 1e6, abs=1e-10)
    assert [(call.cached_tokens, call.cache_write_tokens) for call in sim.ledger.calls] == [(0, 1350), (1350, 0)]


async def test_calls_at_the_same_time_read_only_what_has_begun(anthropic, sim):
    sim.set_latency(spec="ttft:0.5,20000")
    messages = await asyncio.gather(*[anthropic.messages.create(**claude_body(LONG, str(n))) for n in range(3)])
    assert [message.usage.cache_read_input_tokens for message in messages] == [0, 0, 0]
    sim.set_latency(spec="ttft:0,20000")
    async with anthropic.messages.stream(**claude_body(LONG, "three")) as stream:
        async for _ in stream.text_stream:
            break
        later = await anthropic.messages.create(**claude_body(LONG, "four"))
    assert later.usage.cache_read_input_tokens == 1350


async def test_the_other_caches_through_openais_client(openai):
    for model, write in (("gpt-6-luna", 1280), ("grok-4.7", None)):
        body = {"model": model, "messages": says(LONG)}
        first, second = [(await openai.chat.completions.create(**body)).usage for _ in range(2)]
        assert first.prompt_tokens_details.cached_tokens == 0
        assert getattr(first.prompt_tokens_details, "cache_write_tokens", None) == write
        assert second.prompt_tokens_details.cached_tokens == 1280
        assert second.prompt_tokens == first.prompt_tokens


async def test_what_is_cached_is_cheaper_in_xais_own_bill(openai, sim):
    body = {"model": "grok-4.7", "messages": says(LONG)}
    first, second = [(await openai.chat.completions.create(**body)).usage for _ in range(2)]
    assert first.cost_in_usd_ticks - second.cost_in_usd_ticks == 1280 * (20_000 - 5_000)
    assert [usage.cost_in_usd_ticks / 1e10 for usage in (first, second)] == [call.cost_usd for call in sim.ledger.calls]


def test_a_rule_may_be_about_a_role_and_have_a_code_of_its_own(http, sim):
    sim.set_faults({"fault": "quota", "role": "judge", "code": "project_spend_limit_exceeded"})
    properties = {"passed": {"type": "boolean"}, "defects": {"type": "array"}}
    schema = {"name": "v", "schema": {"type": "object", "properties": properties}}
    judge = {**CHAT, "response_format": {"type": "json_schema", "json_schema": schema}}
    assert http.post("/v1/chat/completions", json=CHAT).status_code == 200
    reply = http.post("/v1/chat/completions", json=judge)
    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "project_spend_limit_exceeded")


def test_a_body_that_is_too_large_is_413(http, sim):
    settings = sim.simulation.settings
    sim.simulation.settings = settings.model_copy(update={"body_bytes": 1000})
    try:
        reply = http.post("/v1/messages", json={**CLAUDE, "messages": says("x" * 2000)})
    finally:
        sim.simulation.settings = settings
    assert (reply.status_code, reply.json()["error"]["type"]) == (413, "request_too_large")


def test_half_a_surrogate_pair_is_refused_as_by_the_vendors(http, sim):
    body = '{"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Write about WHAT"}]}'
    replies = [
        http.post("/v1/chat/completions", content=body.replace("WHAT", text)) for text in ("\\ud800", "\\ud83d\\ude00")
    ]
    assert [reply.status_code for reply in replies] == [400, 200]
