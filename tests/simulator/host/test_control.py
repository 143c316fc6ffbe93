"""Faults, ledger and reset over HTTP, and the paths that are accounts."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.simulator.conftest import says

ASKED = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": says()}
CHAT = {"model": "gpt-6-luna", "messages": says()}


@pytest.mark.parametrize(
    ("path", "body", "account"),
    [
        ("/v1/messages", ASKED, "anthropic"),
        ("/messages", ASKED, "anthropic"),
        ("/anthropic/v1/messages", ASKED, "anthropic"),
        ("/anthropic/messages", ASKED, "anthropic"),
        ("/v1/chat/completions", CHAT, "openai"),
        ("/chat/completions", CHAT, "openai"),
        ("/openai/v1/chat/completions", CHAT, "openai"),
        ("/openai/chat/completions", CHAT, "openai"),
        ("/v1/chat/completions", {**CHAT, "model": "grok-4.7"}, "xai"),
        ("/xai/v1/chat/completions", {**CHAT, "model": "grok-4.7"}, "xai"),
        ("/xai/chat/completions", {**CHAT, "model": "grok-4.7"}, "xai"),
    ],
)
def test_the_path_tells_the_account(http, sim, path, body, account):
    assert http.post(path, json=body).status_code == 200
    assert sim.ledger.calls[0].provider == account


def test_the_ledger_tells_each_call_and_the_sums(http):
    http.post("/v1/messages", json=ASKED)
    http.post("/v1/messages", json={**ASKED, "model": "nobody-1"})
    http.post("/v1/chat/completions", json=CHAT)
    told = http.get("/_sim/ledger").json()
    first, second, third = told["calls"]
    assert [call["n"] for call in told["calls"]] == [1, 2, 3]
    assert (first["status"], first["complete"], first["role"], first["stream"]) == (200, True, "task", False)
    assert first["cost_usd"] == pytest.approx((first["input_tokens"] * 2 + first["output_tokens"] * 10) / 1e6)
    assert first["started"] <= first["ended"]
    assert first["prompt_chars"] == len(says()[0]["content"])
    assert "turns" not in first
    assert (second["status"], second["complete"], second["cost_usd"]) == (404, False, 0)
    totals = told["totals"]
    assert (totals["calls"], totals["completed"]) == (3, 2)
    assert totals["cost_usd"] == pytest.approx(first["cost_usd"] + third["cost_usd"])
    assert totals["by_model"]["gpt-6-luna"]["cost_usd"] == third["cost_usd"]
    assert (told["in_flight"], told["max_in_flight"]) == (0, 1)


def test_a_model_without_a_price_has_no_cost(http):
    http.post("/v1/chat/completions", json={**CHAT, "model": "gpt-9-nova"})
    told = http.get("/_sim/ledger").json()
    assert told["calls"][0]["cost_usd"] is None
    assert told["totals"]["cost_complete"] is False


def test_what_was_asked_is_shown_on_demand(http):
    http.post("/v1/messages", json={**ASKED, "system": "Be brief."})
    call = http.get("/_sim/ledger", params={"prompts": "true"}).json()["calls"][0]
    assert (call["system"], call["turns"]) == ("Be brief.", [["user", says()[0]["content"]]])


def test_calls_at_the_same_time_are_counted(http, sim):
    sim.set_faults({"fault": "stall", "seconds": 0.5})
    with ThreadPoolExecutor(5) as pool:
        pending = [pool.submit(http.post, "/v1/messages", json=ASKED) for _ in range(5)]
        told = http.get("/_sim/ledger", params={"wait_calls": 5}).json()
        assert told["in_flight"] == 5
        assert all(one.result().status_code == 200 for one in pending)
    assert http.get("/_sim/ledger", params={"wait_idle": "true"}).json()["max_in_flight"] == 5


def test_a_client_that_leaves_is_billed_for_what_was_sent(http, sim):
    sim.set_faults({"fault": "stall", "after": 2})
    with http.stream("POST", "/v1/messages", json={**ASKED, "stream": True}) as reply:
        events = (line for line in reply.iter_lines() if line == "event: content_block_delta")
        assert [next(events) for _ in range(2)]
    told = http.get("/_sim/ledger", params={"wait_idle": "true"}).json()
    call = told["calls"][0]
    assert (call["cancelled"], call["complete"], call["output_tokens"]) == (True, False, 16)
    assert call["first_token"] is not None
    assert told["totals"]["cost_unfinished_usd"] == call["cost_usd"] > 0


def test_rules_strike_whom_they_name(http):
    rules = [
        {"fault": "overloaded", "provider": "openai", "when": {"first": 1}},
        {"fault": "server_error", "model": "claude-opus-5-5"},
        {"fault": "auth", "contains": "rivers", "when": {"n": [2]}},
    ]
    assert http.post("/_sim/faults", json=rules).json() == rules
    assert http.get("/_sim/faults").json() == rules

    def status(path, body):
        return http.post(path, json=body).status_code

    opus = {**ASKED, "model": "claude-opus-5-5", "messages": says("hills")}
    assert [status("/v1/chat/completions", CHAT) for _ in range(2)] == [503, 401]
    assert status("/v1/messages", opus) == 500
    assert [status("/v1/messages", ASKED) for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"fault": "nonsense"}], "0.fault"),
        ([{"fault": "cut", "colour": 1}], "0.colour"),
        ([{"fault": "cut", "when": {}}], "when"),
        ([{}], "0.fault"),
        ("cut", "0"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_and_changes_nothing(http, rules, words):
    http.post("/_sim/faults", json=[{"fault": "auth"}])
    reply = http.post("/_sim/faults", json=rules)
    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]
    assert http.get("/_sim/faults").json() == [{"fault": "auth"}]


def test_faults_can_be_lifted_alone_and_all_be_forgotten(http):
    http.post("/_sim/faults", json=[{"fault": "auth"}])
    assert http.post("/v1/messages", json=ASKED).status_code == 401
    http.delete("/_sim/faults")
    assert http.post("/v1/messages", json=ASKED).status_code == 200
    http.post("/_sim/faults", json=[{"fault": "auth"}])
    assert len(http.get("/_sim/ledger").json()["calls"]) == 2
    for forget in (http.post, http.delete):
        forget("/_sim/reset")
        told = http.get("/_sim/ledger").json()
        assert (told["calls"], told["totals"]["cost_usd"], http.get("/_sim/faults").json()) == ([], 0, [])


def test_same_requests_same_answers(http):
    first, second = (http.post("/v1/messages", json=ASKED).json()["content"] for _ in range(2))
    other = http.post("/v1/messages", json={**ASKED, "messages": says("Write about hills")}).json()["content"]
    assert first == second != other
