"""What a browser could be made to do against a server on this computer, and what it may do when it is asked."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from httpx_sse import aconnect_sse

from ai3ray.domain.access import new_api_key
from ai3ray.errors import SettingsError
from ai3ray.server import body
from ai3ray.server.access.headers import SECURITY_HEADERS
from ai3ray.server.access.host_checks import HostChecks
from ai3ray.server.access.keys import Access
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.settings.access_rules import access_rules
from ai3ray.settings.model import Settings

SECRET, KEY = new_api_key("alice", ["admin"])


def app_of(engine, host: str = "127.0.0.1", **settings):
    rules = access_rules(Settings(**settings), host)
    return build_app(EngineGate(engine), access=Access(rules))


def over(engine, **settings) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app_of(engine, **settings), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


# ── Host ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.0.0.1"])
async def test_this_computer_is_asked_by_its_own_names(engine, host):
    async with over(engine) as http:
        assert (await http.get("/runs", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:80", "127.0.0.1.evil.com", "localhost.evil.com:8000", "", "[::2]"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/runs"), ("POST", "/run"), ("GET", "/healthz"), ("GET", "/x")])
async def test_a_name_that_dns_may_have_bound_to_us_is_refused_before_anything_is_done(engine, host, method, path):
    async with over(engine) as http:
        response = await http.request(method, path, headers={"host": host}, json={"prompt": "x"})
        assert (response.status_code, response.json()["error"]["type"]) == (403, "forbidden")
        assert not engine.all


async def test_two_host_headers_are_refused(engine):
    async with over(engine) as http:
        request = http.build_request("GET", "/runs", headers=[("host", "localhost"), ("host", "evil.com")])
        assert (await http.send(request)).status_code == 403


async def test_a_further_name_is_a_setting(engine):
    async with over(engine, allowed_hosts="box.local, ai3.example.com:443") as http:
        for name in ("box.local:8000", "ai3.example.com", "127.0.0.1"):
            assert (await http.get("/runs", headers={"host": name})).status_code == 200
        assert (await http.get("/runs", headers={"host": "evil.com"})).status_code == 403


async def test_with_keys_any_name_will_do_unless_names_are_set(engine):
    by_key = {"host": "pod-7.cluster", "x-api-key": SECRET}
    async with over(engine, api_keys=KEY.entry()) as http:
        assert (await http.get("/runs", headers=by_key)).status_code == 200
    async with over(engine, api_keys=KEY.entry(), allowed_hosts="ai3.example.com") as http:
        assert (await http.get("/runs", headers=by_key)).status_code == 403


# ── Origin ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://127.0.0.1:9999", "https://localhost", "", "x"])
@pytest.mark.parametrize("keyed", [False, True])
async def test_a_foreign_page_may_not_even_send(engine, origin, keyed):
    keys = {"api_keys": KEY.entry()} if keyed else {}
    async with over(engine, **keys) as http:
        headers = {"origin": origin, "content-type": "text/plain", "x-api-key": SECRET}
        response = await http.post("/run", content=b'{"prompt": "x"}', headers=headers)
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers
        assert not engine.all


async def test_a_page_of_our_own_may(engine):
    async with over(engine) as http:
        response = await http.post("/run", json={"prompt": "x"}, headers={"origin": "http://127.0.0.1:8000"})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers


async def test_a_page_that_is_allowed_may_and_never_with_credentials(engine):
    page = {"origin": "https://app.example.com"}
    async with over(engine, allowed_origins="https://app.example.com, https://b.example.com") as http:
        wanted = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        asked = await http.options("/run", headers=page | wanted)
        assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "GET, POST")
        assert "authorization" in asked.headers["access-control-allow-headers"]
        response = await http.post("/run", json={"prompt": "x"}, headers=page)
        for told in (asked, response):
            assert told.headers["access-control-allow-origin"] == page["origin"]
            assert told.headers["vary"] == "origin"
            assert "access-control-allow-credentials" not in told.headers
        assert (await http.get("/runs", headers={"origin": "https://c.example.com"})).status_code == 403


@pytest.mark.parametrize("setting", ["*", "app.example.com", "https://app.example.com/path", "null"])
def test_an_origin_that_would_let_everybody_in_or_nobody_is_no_setting(setting):
    with pytest.raises(SettingsError, match="AI3_ALLOWED_ORIGINS"):
        access_rules(Settings(allowed_origins=setting), "127.0.0.1")


@pytest.mark.parametrize("setting", ["*", "http://x", "a b"])
def test_a_host_that_is_none_is_no_setting(setting):
    with pytest.raises(SettingsError, match="AI3_ALLOWED_HOSTS"):
        access_rules(Settings(allowed_hosts=setting), "127.0.0.1")


# ── open to the network ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "box.local", "2001:db8::1", "128.0.0.1"])
def test_without_keys_only_this_computer_is_served(host):
    with pytest.raises(SettingsError, match="AI3_API_KEYS") as refused:
        access_rules(Settings(), host)
    assert "\n" not in str(refused.value)
    assert access_rules(Settings(api_keys=KEY.entry()), host).keys == (KEY,)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "[::1]", "localhost"])
def test_this_computer_needs_no_keys(host):
    assert access_rules(Settings(), host).keys == ()


# ── answers ──────────────────────────────────────────────────────────────────────────────────────


async def test_every_answer_tells_the_browser_to_take_it_for_data(engine, monkeypatch):
    async def broken(*, owner=None):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(engine, "stats", broken)
    async with over(engine) as http:
        await http.post("/run", json={"prompt": "x"})
        answers = [
            await http.get("/runs"),
            await http.get("/runs/run_1/events"),
            await http.get("/nowhere"),
            await http.delete("/runs"),
            await http.post("/run", content=b"{"),
            await http.get("/stats"),
            await http.get("/runs", headers={"host": "evil.com"}),
        ]
    assert [response.status_code for response in answers] == [200, 200, 404, 405, 400, 500, 403]
    for response in answers:
        assert SECURITY_HEADERS.items() <= dict(response.headers).items()
    assert answers[0].headers["cache-control"] == "no-store"
    assert answers[1].headers["cache-control"] == "no-cache, no-transform"
    assert "default-src 'none'" in answers[0].headers["content-security-policy"]


async def test_a_caller_cannot_have_serve_forget_that_it_left(engine):
    async with over(engine) as http:
        response = await http.post("/run", json={"prompt": "x"}, headers={"x-request-disconnect-disabled": "?1"})
        assert (response.status_code, engine.all) == (400, {})


async def test_a_body_that_trickles_in_is_given_up(engine, monkeypatch):
    monkeypatch.setattr(body, "BODY_S", 0.05)

    async def trickle():
        yield b'{"prompt": '
        await asyncio.sleep(30)
        yield b'"x"}'

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/run",
        "raw_path": b"/run",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost")],
    }
    chunks, sent = trickle(), []

    async def receive():
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    async def send(message):
        sent.append(message)

    await asyncio.wait_for(app_of(engine)(scope, receive, send), 5)
    await chunks.aclose()
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["type"] == "too_slow"


async def test_behind_a_path_everything_is_found_and_pointed_at(engine):
    """As Serve hands requests on with a `route_prefix`, and as `--server http://…/ai3` asks."""
    app = app_of(engine)

    async def mounted(scope, receive, send):
        await app({**scope, "root_path": "/ai3"}, receive, send)

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=mounted), base_url="http://127.0.0.1:8000/ai3"
    ) as http:
        submitted = await http.post("/runs", json={"prompt": "hi"})
        assert submitted.headers["location"] == "/ai3/runs/run_1"
        async with aconnect_sse(http, "GET", "/runs/run_1/events") as source:
            assert [event.event async for event in source.aiter_sse()][-1] == "stats"
        assert (await http.get("/runs/run_1")).json()["output"] == "HI"


async def test_what_is_no_http_passes_untouched():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await HostChecks(app, access_rules(Settings(), "localhost"))({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
