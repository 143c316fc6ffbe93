"""Who may do what over TCP: keys, scopes, whose runs, how much. Over an engine in memory, without a socket."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest

from ai3ray.domain.access import AccessRules, CallerLimits, new_api_key
from ai3ray.errors import Forbidden, Throttled, Unauthenticated
from ai3ray.server.access.keys import Access
from ai3ray.server.access.open_streams import OpenStreams
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.server.run_endpoints import MAX_TASKS

SECRETS, KEYS = {}, []
for name, scopes in {
    "alice": ["run", "read"],
    "bob": ["run", "read"],
    "reader": ["read"],
    "runner": ["run"],
    "analyst": ["sql"],
    "ops": ["admin"],
}.items():
    SECRETS[name], key = new_api_key(name, scopes)
    KEYS.append(key)
RULES = AccessRules(keys=tuple(KEYS))

PUBLIC = {("/healthz", "GET"), ("/openapi.json", "GET")}


def over(engine, rules: AccessRules = RULES, host: str = "ai3.example.com", **limits: int) -> httpx.AsyncClient:
    app = build_app(EngineGate(engine), access=Access(rules, OpenStreams(**limits)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


def by(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRETS[name]}"}


@pytest.fixture
async def http(engine):
    async with over(engine) as client:
        yield client


def all_doors() -> list[tuple[str, str]]:
    app = build_app(EngineGate(), access=Access(RULES))
    return [(route.path, method) for route in app.routes for method in sorted(route.methods - {"HEAD"})]


def filled(path: str) -> str:
    return path.replace("{run_id}", "run_1").replace("{model:path}", "ai3")


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("path", "method"), all_doors())
async def test_every_route_but_the_public_ones_wants_a_key(http, engine, path, method):
    response = await http.request(method, filled(path), json={"prompt": "hi"})
    if (path, method) in PUBLIC:
        assert response.status_code == 200
    else:
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["error"]["type"] == Unauthenticated.type
    assert not engine.all


@pytest.mark.parametrize(("path", "method"), all_doors())
async def test_a_key_without_the_scope_is_403_everywhere_and_admin_is_let_in_everywhere(http, engine, path, method):
    if (path, method) in PUBLIC:
        return
    await http.post("/run", json={"prompt": "hello"}, headers=by("ops"))
    refusals = []
    for name in ("reader", "runner", "analyst", "ops"):
        body = {"prompt": "hi", "messages": [{"role": "user", "content": "hi"}], "model": "ai3"}
        response = await http.request(method, filled(path), json=body, headers=by(name))
        if response.status_code == 403:
            assert response.json()["error"]["type"] == Forbidden.type
            refusals.append(name)
    assert len(refusals) == 2
    assert "ops" not in refusals


async def test_no_head_route_exists_over_tcp_whatever_the_key(http):
    for path in ("stop", "keep", "prune", "serve", "unserve"):
        assert (await http.post(f"/head/{path}", headers=by("ops"))).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRETS['alice']}"},
        {"authorization": f"bearer  {SECRETS['alice']} "},
        {"x-api-key": SECRETS["alice"]},
        {"x-api-key": SECRETS["alice"], "authorization": f"Bearer {SECRETS['alice']}"},
    ],
)
async def test_a_key_is_taken_from_either_header(http, headers):
    assert (await http.get("/runs", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": SECRETS["alice"]},
        {"authorization": f"Basic {SECRETS['alice']}"},
        {"authorization": "Bearer "},
        {"authorization": f"Bearer {SECRETS['alice'][:-1]}"},
        {"authorization": f"Bearer {SECRETS['alice']}x"},
        {"authorization": f"Bearer {KEYS[0].sha256}"},
        {"authorization": "Bearer ' OR 1=1 --"},
        {"authorization": b"Bearer \xff\xfe"},
        {"authorization": f"Bearer {SECRETS['alice']}", "x-api-key": SECRETS["bob"]},
    ],
)
async def test_whatever_is_not_a_known_key_is_401_and_never_quoted(http, engine, headers, caplog):
    caplog.set_level(logging.DEBUG)
    response = await http.get("/runs", headers=headers)
    assert response.status_code == 401
    for secret in SECRETS.values():
        assert secret[4:20] not in response.text + caplog.text


async def test_without_keys_nobody_is_asked_for_one(engine):
    async with over(engine, AccessRules(), host="127.0.0.1:8000") as http:
        assert (await http.post("/run", json={"prompt": "hi"})).json()["output"] == "HI"
        assert engine.all["run_1"].owner == ""
        assert {"status", "version", "pid", "runs_active"} == (await http.get("/healthz")).json().keys()


async def test_health_needs_no_key_and_tells_a_stranger_little(http):
    assert (await http.get("/healthz")).json().keys() == {"status", "version"}


# ── whose runs ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "method"), [door for door in all_doors() if "{run_id}" in door[0]], ids=lambda part: str(part)
)
async def test_a_run_of_somebody_else_is_404_as_if_it_did_not_exist(http, engine, path, method):
    await http.post("/run", json={"prompt": "mine"}, headers=by("alice"))
    theirs = await http.request(method, path.replace("{run_id}", "run_1"), headers=by("bob"))
    nobodys = await http.request(method, path.replace("{run_id}", "run_9"), headers=by("bob"))
    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.json()["error"]["message"].replace("run_1", "run_9") == nobodys.json()["error"]["message"]
    for name in ("alice", "ops"):
        assert (await http.request(method, path.replace("{run_id}", "run_1"), headers=by(name))).status_code == 200


async def test_a_run_of_somebody_else_is_neither_cancelled_nor_resumed(http, engine):
    run_id = (await http.post("/runs", json={"prompt": "hold"}, headers=by("alice"))).json()["run_id"]
    await http.post(f"/runs/{run_id}/cancel", headers=by("bob"))
    await http.post(f"/runs/{run_id}/resume", headers=by("bob"))
    assert (await engine.active(), engine.resumed) == (1, [])
    cancelled = await http.post(f"/runs/{run_id}/cancel", headers=by("alice"))
    assert cancelled.json()["status"] == "cancelled"


async def test_the_list_holds_ones_own_runs_and_for_admin_all(http):
    for name in ("alice", "bob", "alice"):
        await http.post("/run", json={"prompt": name}, headers=by(name))

    async def listed(name: str) -> list[str]:
        return [row["prompt"] for row in (await http.get("/runs", headers=by(name))).json()["runs"]]

    assert await listed("alice") == ["alice", "alice"]
    assert await listed("bob") == ["bob"]
    assert await listed("reader") == []
    assert await listed("ops") == ["alice", "bob", "alice"]


async def test_an_idempotency_key_is_one_s_own(http, engine):
    same = {"idempotency-key": "k"}
    first = await http.post("/runs", json={"prompt": "a"}, headers=by("alice") | same)
    second = await http.post("/runs", json={"prompt": "b"}, headers=by("bob") | same)
    again = await http.post("/runs", json={"prompt": "a"}, headers=by("alice") | same)
    assert first.json()["run_id"] == again.json()["run_id"] != second.json()["run_id"]
    assert [run.owner for run in engine.all.values()] == ["alice", "bob"]


async def test_figures_are_of_ones_own_runs(http):
    await http.post("/run", json={"prompt": "x"}, headers=by("alice"))
    assert (await http.get("/stats", headers=by("reader"))).json()["cost_usd"] == 0.0
    assert (await http.get("/stats", headers=by("ops"))).json()["cost_usd"] == 0.25


# ── how much ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_limit_is_asked_of_the_engine_and_its_refusal_is_429_with_the_seconds(engine):
    limited = RULES.model_copy(update={"limits": {"alice": CallerLimits(rpm=2)}})
    async with over(engine, limited) as http:
        statuses = [(await http.get("/runs", headers=by("alice"))).status_code for _ in range(3)]
        refused = await http.post("/runs", json={"prompt": "x"}, headers=by("alice"))
        assert (await http.get("/runs", headers=by("bob"))).status_code == 200
    assert statuses == [200, 200, 429]
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "13")
    assert refused.json()["error"]["type"] == Throttled.type
    assert not engine.all
    assert [spends for _, _, spends in engine.admitted] == [False, False, False, True]


async def test_a_key_s_own_limits_go_before_the_usual_ones():
    rules = AccessRules(usual=CallerLimits(rpm=5, usd_per_day=1.0), limits={"alice": CallerLimits(rpm=50)})
    assert rules.limits_of("alice") == CallerLimits(rpm=50, usd_per_day=1.0)
    assert rules.limits_of("bob") == CallerLimits(rpm=5, usd_per_day=1.0)


async def test_cancelling_is_no_spending(engine):
    limited = RULES.model_copy(update={"usual": CallerLimits(usd_per_day=1.0)})
    async with over(engine, limited) as http:
        await http.post("/run", json={"prompt": "x"}, headers=by("alice"))
        for path in ("/runs/run_1/cancel", "/runs/run_1/resume"):
            await http.post(path, headers=by("alice"))
        await http.post("/plan", json={"prompt": "x"}, headers=by("alice"))
    assert [spends for _, _, spends in engine.admitted] == [True, False, True, True]


async def test_more_streams_than_a_key_may_hold_open_are_429_and_others_go_on(engine):
    async with over(engine, per_caller=2, in_all=3) as http:
        held = [asyncio.create_task(http.post("/run", json={"prompt": "hold"}, headers=by("alice"))) for _ in range(2)]
        while len(engine.all) < 2:
            await asyncio.sleep(0)
        third = await http.post("/stream/run", json={"prompt": "x"}, headers=by("alice"))
        assert (third.status_code, int(third.headers["retry-after"]) > 0) == (429, True)
        assert len(engine.all) == 2  # refused before anything was begun
        assert (await http.get("/runs", headers=by("alice"))).status_code == 200
        held.append(asyncio.create_task(http.post("/run", json={"prompt": "hold"}, headers=by("bob"))))
        while len(engine.all) < 3:
            await asyncio.sleep(0)
        assert (await http.post("/run", json={"prompt": "x"}, headers=by("ops"))).status_code == 429  # all together
        engine.release.set()
        assert [(await task).status_code for task in held] == [200, 200, 200]
        assert (await http.post("/run", json={"prompt": "x"}, headers=by("alice"))).status_code == 200


async def test_a_refused_request_holds_nothing_open(engine):
    async with over(engine, per_caller=1, in_all=1) as http:
        for _ in range(3):
            assert (await http.post("/run", json={"nonsense": 1}, headers=by("alice"))).status_code == 400
        assert (await http.post("/run", json={"prompt": "x"}, headers=by("alice"))).status_code == 200


async def test_a_plan_of_any_size_cannot_be_asked_for_over_the_network(http):
    for path in ("/run", "/plan"):
        response = await http.post(path, json={"prompt": "x", "max_tasks": MAX_TASKS + 1}, headers=by("alice"))
        assert (response.status_code, response.json()["error"]["param"]) == (400, "max_tasks")


async def test_a_chat_cannot_ask_for_a_plan_of_any_size_either(http, engine):
    chat = {"model": "ai3", "messages": [{"role": "user", "content": "x"}]}
    for stream in (False, True):
        body = chat | {"stream": stream, "metadata": {"max_tasks": str(MAX_TASKS + 1)}}
        response = await http.post("/v1/chat/completions", json=body, headers=by("alice"))
        assert (response.status_code, response.json()["error"]["param"]) == (400, "metadata.max_tasks")
    assert not engine.all


@pytest.mark.parametrize(
    "field",
    ["api_key", "keys", "base_url", "base_urls", "providers", "limits", "max_concurrency_per_provider", "owner"],
)
async def test_a_request_cannot_name_keys_addresses_providers_limits_or_owners(http, engine, field):
    response = await http.post("/run", json={"prompt": "x", field: "http://evil"}, headers=by("alice"))
    assert (response.status_code, response.json()["error"]["param"]) == (400, field)
    assert not engine.all
