"""The routes of the app over an engine in memory, without a socket."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from ai3ray import __version__
from ai3ray.errors import JournalLocked
from ai3ray.server.app import build_app
from ai3ray.server.body import MAX_BODY
from ai3ray.server.engine_gate import EngineGate
from deployments.local_head.routes import HeadControls


def error_of(response) -> dict:
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) <= {"type", "message", "param"}
    assert "\n" not in body["error"]["message"]
    return body["error"]


async def test_run_answers_with_the_finished_run(http):
    response = await http.post("/run", json={"prompt": "hello"})
    run = response.json()
    assert (response.status_code, run["status"], run["output"]) == (200, "succeeded", "HELLO")
    assert run["tasks"][0]["output"] == "HELLO"
    assert response.headers["x-ai3-run-id"] == run["run_id"]


async def test_a_failed_run_is_http_200(http):
    response = await http.post("/run", json={"prompt": "fail"})
    assert (response.status_code, response.json()["status"]) == (200, "failed")


async def test_submitting_answers_202_before_the_run_has_ended(http, engine):
    response = await http.post("/runs", json={"prompt": "hold on"})
    accepted = response.json()
    assert (response.status_code, accepted) == (202, {"run_id": "run_1", "status": "queued"})
    assert response.headers["location"] == "/runs/run_1"
    assert (await http.get("/runs/run_1")).json()["status"] in ("queued", "planning", "running")
    engine.release.set()


async def test_the_same_key_and_body_is_the_same_run_and_another_body_is_409(http, engine):
    key = {"Idempotency-Key": "k1"}
    first = (await http.post("/run", json={"prompt": "hello"}, headers=key)).json()
    again = (await http.post("/run", json={"prompt": "hello"}, headers=key)).json()
    other = await http.post("/runs", json={"prompt": "other"}, headers=key)
    assert first == again
    assert len(engine.all) == 1
    assert (other.status_code, error_of(other)["type"]) == (409, "key_reused")


@pytest.mark.parametrize("key", [" ", "x" * 256])
async def test_an_idempotency_key_of_a_wrong_length_is_refused(http, engine, key):
    response = await http.post("/runs", json={"prompt": "x"}, headers={"Idempotency-Key": key})
    assert (response.status_code, error_of(response)["param"]) == (400, "Idempotency-Key")
    assert not engine.all


async def test_cancelling_ends_a_run_and_leaves_a_finished_one_as_it_is(http):
    run_id = (await http.post("/runs", json={"prompt": "hold"})).json()["run_id"]
    await asyncio.sleep(0)
    cancelled = await http.post(f"/runs/{run_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    done = (await http.post("/run", json={"prompt": "x"})).json()
    assert (await http.post(f"/runs/{done['run_id']}/cancel")).json() == done


async def test_resuming_asks_the_engine_and_answers_at_once_with_the_run_as_it_stands(http, engine):
    run_id = (await http.post("/runs", json={"prompt": "hold"})).json()["run_id"]
    resumed = await http.post(f"/runs/{run_id}/resume")
    assert (resumed.status_code, resumed.json()["run_id"], engine.resumed) == (200, run_id, [run_id])
    assert resumed.json()["status"] in ("queued", "planning", "running")
    unknown = await http.post("/runs/nope/resume")
    assert (unknown.status_code, "nope" in error_of(unknown)["message"]) == (404, True)


async def test_the_list_pages_newest_first(http):
    for n in range(3):
        await http.post("/run", json={"prompt": f"p{n}"})
    first = (await http.get("/runs", params={"limit": 2})).json()
    assert [row["prompt"] for row in first["runs"]] == ["p2", "p1"]
    second = (await http.get("/runs", params={"limit": 2, "before": first["next"]})).json()
    assert ([row["prompt"] for row in second["runs"]], second["next"]) == (["p0"], None)
    assert set(first["runs"][0]) == {"run_id", "status", "prompt", "started_at", "seconds", "cost_usd"}


async def test_a_plan_comes_with_an_estimate_whose_unknown_price_is_null(http):
    body = (await http.post("/plan", json={"prompt": "hello"})).json()
    assert body["estimate"] == {"cost_usd": None, "seconds": 1.5}
    assert body["plan"]["assembly"] == "last"
    assert "checks" not in body["plan"]["tasks"][0]


async def test_models_and_stats_are_told(http):
    assert (await http.get("/models")).json()["models"][0]["model"] == "scripted/echo"
    assert (await http.get("/stats")).json()["cost_usd"] == 0.25


@pytest.mark.parametrize("field", ["query", "sql"])
async def test_sql_rows_are_objects_with_distinct_names_and_nan_is_null(http, field):
    body = (await http.post("/sql", json={field: "select 1", "limit": 2})).json()
    assert body["columns"] == ["n", "n_1"]
    assert body["rows"] == [{"n": 0, "n_1": None}, {"n": 1, "n_1": None}]
    assert body["truncated"] is True


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "query"),
        ({"query": " "}, "query"),
        ({"sql": " "}, "sql"),
        ({"query": 5}, "query"),
        ({"query": "select 1", "sql": "select 1"}, "query"),
        ({"query": "select 1", "limit": 0}, "limit"),
        ({"query": "select 1", "limit": True}, "limit"),
        ({"query": "select 1", "rows": 3}, "rows"),
        ([], None),
    ],
)
async def test_a_wrong_sql_request_is_refused_by_name(http, body, param):
    response = await http.post("/sql", json=body)
    assert (response.status_code, error_of(response).get("param")) == (400, param)


async def test_health_tells_status_version_pid_and_active_runs(http, engine):
    await http.post("/runs", json={"prompt": "hold"})
    body = (await http.get("/healthz")).json()
    assert (body["status"], body["version"], body["runs_active"]) == ("ok", __version__, 1)
    assert isinstance(body["pid"], int)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "x",\n  oops}', "line 2, column 3"),
        (b"", "line 1, column 1"),
        (b'{"prompt": NaN}', "NaN"),
        (b'{"prompt": "\xff"}', "byte 13"),
        (b'{"prompt": "\\ud800"}', "\\ud"),
        (b'{"plan": ' + b"[" * 100_000, "deep"),
        (b"[1]", "not a JSON object"),
    ],
)
async def test_a_malformed_body_is_400_and_the_message_says_where(http, content, message):
    response = await http.post("/runs", content=content)
    assert response.status_code == 400
    assert message in error_of(response)["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": "x", "colour": "red"}, "colour"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x", "max_tasks": 0}, "max_tasks"),
        ({"prompt": "x", "class": "slow"}, "class"),
        ({"prompt": "x", "api_key": "sk-1"}, "api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/run", "/runs", "/stream/run", "/plan"])
async def test_a_wrong_field_is_400_and_named(http, engine, path, body, param):
    response = await http.post(path, json=body)
    assert (response.status_code, error_of(response)["param"]) == (400, param)
    assert not engine.all


async def test_a_usage_error_of_the_engine_is_400_with_its_own_type(http):
    response = await http.post("/runs", json={"prompt": "x", "models": ["nobody"]})
    assert (response.status_code, error_of(response)["type"]) == (400, "unknown_model")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/runs/nope"), ("GET", "/runs/nope/events"), ("POST", "/runs/nope/cancel")]
)
async def test_an_unknown_run_is_404(http, method, path):
    response = await http.request(method, path)
    assert (response.status_code, error_of(response)["type"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/nope", "/runs/", "/head/stop", "/head/keep", "/head/prune"])
async def test_an_unknown_path_is_404_in_the_envelope(http, path):
    response = await http.post(path)
    assert (response.status_code, error_of(response)["type"]) == (404, "not_found")


async def test_a_wrong_method_is_405_and_told_what_the_path_takes(http):
    response = await http.delete("/runs")
    assert (response.status_code, error_of(response)["type"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(response.headers["allow"].replace(" ", "").split(","))
    assert (await http.get("/run")).status_code == 405


async def test_a_body_over_8_mb_is_413_and_one_below_is_read(http, engine):
    large = json.dumps({"prompt": "x", "metadata": {"pad": "y" * MAX_BODY}}).encode()
    response = await http.post("/runs", content=large)
    assert (response.status_code, error_of(response)["type"]) == (413, "too_large")
    assert not engine.all
    fits = json.dumps({"prompt": "x", "metadata": {"pad": "y" * (MAX_BODY - 100)}}).encode()
    assert (await http.post("/runs", content=fits)).status_code == 202


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "x"}, {"limit": "1001"}, {"limit": "9" * 5000}])
async def test_a_wrong_limit_is_400(http, params):
    response = await http.get("/runs", params=params)
    assert (response.status_code, error_of(response)["param"]) == (400, "limit")


@pytest.mark.parametrize(
    ("headers", "params", "param"),
    [({"Last-Event-ID": "x"}, {}, "Last-Event-ID"), ({}, {"after": "-1"}, "after"), ({}, {"deltas": "2"}, "deltas")],
)
async def test_a_wrong_position_in_a_stream_is_400(http, headers, params, param):
    await http.post("/run", json={"prompt": "x"})
    response = await http.get("/runs/run_1/events", headers=headers, params=params)
    assert (response.status_code, error_of(response)["param"]) == (400, param)


async def test_nobody_left_to_plan_is_503(http):
    response = await http.post("/plan", json={"prompt": "fail"})
    assert (response.status_code, error_of(response)["type"]) == (503, "no_model_left")


async def test_a_fault_of_ours_is_500_and_tells_the_client_nothing(http, engine, monkeypatch):
    async def broken() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(engine, "stats", broken)
    response = await http.get("/stats")
    assert (response.status_code, error_of(response)["type"]) == (500, "internal")
    assert "secret" not in response.text


# ── while the engine boots, fails, leaves ────────────────────────────────────────────────────────


def over(gate: EngineGate, *controls) -> httpx.AsyncClient:
    app = build_app(gate, controls=HeadControls(gate, *controls).endpoints() if controls else ())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app")


async def test_requests_wait_for_an_engine_that_is_booting_and_health_does_not(engine):
    gate = EngineGate()
    async with over(gate) as http:
        waiting = asyncio.create_task(http.post("/run", json={"prompt": "hi"}))
        health = (await http.get("/healthz")).json()
        assert (health["status"], health["runs_active"], waiting.done()) == ("starting", 0, False)
        gate.open(engine)
        assert (await waiting).json()["output"] == "HI"


async def test_a_boot_that_failed_is_told_to_those_who_waited(engine):
    gate = EngineGate()
    async with over(gate) as http:
        waiting = asyncio.create_task(http.post("/runs", json={"prompt": "hi"}))
        await http.get("/healthz")
        gate.fail(JournalLocked("the journal is held by process 7", 7))
        response = await waiting
        assert (response.status_code, error_of(response)["message"]) == (503, "the journal is held by process 7")
        assert (await http.get("/healthz")).status_code == 503


async def test_a_server_that_leaves_lets_waiting_requests_go_and_keeps_the_run(engine):
    gate = EngineGate(engine)
    async with over(gate) as http:
        waiting = asyncio.create_task(http.post("/run", json={"prompt": "hold"}))
        await engine.asked.wait()
        gate.close()
        response = await waiting
        assert (response.status_code, error_of(response)["type"]) == (503, "head_unavailable")
        assert "run_1" in error_of(response)["message"]
        assert await engine.active() == 1
        assert (await http.post("/runs", json={"prompt": "late"})).status_code == 503


async def test_stop_and_keep_exist_only_where_the_host_allows_them(engine):
    told = []
    gate = EngineGate(engine)
    async with over(gate, lambda: told.append("stop"), lambda: told.append("keep")) as http:
        assert (await http.post("/head/keep")).status_code == 202
        assert (await http.post("/head/stop")).status_code == 202
    assert told == ["keep", "stop"]


async def test_stopping_only_when_idle_is_409_while_a_run_is_going(engine):
    told = []
    async with over(EngineGate(engine), lambda: told.append("stop")) as http:
        await http.post("/runs", json={"prompt": "hold"})
        busy = await http.post("/head/stop", params={"idle": "true"})
        assert (busy.status_code, error_of(busy)["type"], told) == (409, "busy", [])
        await http.post("/runs/run_1/cancel")
        assert (await http.post("/head/stop", params={"idle": "true"})).status_code == 202
    assert told == ["stop"]


async def test_runs_are_pruned_only_where_the_caller_is_the_user_alone(engine):
    async with over(EngineGate(engine), lambda: None) as http:
        await http.post("/run", json={"prompt": "hello"})
        counted = await http.post("/head/prune", json={"older_than_s": 0, "dry_run": True})
        assert (counted.status_code, counted.json()["runs"], counted.json()["dry_run"]) == (200, 1, True)
        assert (await http.post("/head/prune", json={"older_than_s": 60})).json()["runs"] == 0
        assert (await http.post("/head/prune", json={"older_than_s": 0})).json()["runs"] == 1
        assert (await http.get("/runs")).json()["runs"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "older_than_s"),
        ({"older_than_s": -1}, "older_than_s"),
        ({"older_than_s": True}, "older_than_s"),
        ({"older_than_s": "30d"}, "older_than_s"),
        ({"older_than_s": 1, "dry_run": "no"}, "dry_run"),
        ({"older_than_s": 1, "everything": True}, "everything"),
        ([], None),
    ],
)
async def test_a_wrong_prune_request_is_refused_by_name_and_deletes_nothing(engine, body, param):
    async with over(EngineGate(engine), lambda: None) as http:
        await http.post("/run", json={"prompt": "hello"})
        response = await http.post("/head/prune", json=body)
        assert (response.status_code, error_of(response).get("param")) == (400, param)
        assert len(engine.all) == 1
