"""`POST /sql`: the home's own user asks the journal, the network asks a copy of what the caller may see."""

from __future__ import annotations

import httpx
import pytest

from ai3ray.domain.access import AccessRules, ApiKey, new_api_key
from ai3ray.domain.events import RunStart
from ai3ray.executor.inline import open_inline
from ai3ray.journal.port import RunMeta
from ai3ray.server.access.keys import Access
from ai3ray.server.app import build_app
from ai3ray.server.engine_gate import EngineGate
from ai3ray.settings.load import load_settings

RUNS = {"query": "SELECT owner, count(*) AS runs FROM runs GROUP BY owner ORDER BY owner"}


def client(engine, *keys: ApiKey, network: bool = True) -> httpx.AsyncClient:
    access = Access(AccessRules(keys=keys)) if network else None
    transport = httpx.ASGITransport(app=build_app(EngineGate(engine), access=access))
    return httpx.AsyncClient(transport=transport, base_url="http://app")


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


async def test_what_comes_over_the_network_is_isolated_and_bound_to_its_owner(engine):
    alice, alices = new_api_key("alice", ["sql"])
    boss, bosss = new_api_key("boss", ["admin"])
    async with client(engine, alices, bosss) as http:
        await http.post("/sql", json=RUNS, headers=bearer(alice))
        await http.post("/sql", json=RUNS, headers=bearer(boss))
    async with client(engine) as http:
        await http.post("/sql", json=RUNS)
    async with client(engine, network=False) as http:
        await http.post("/sql", json=RUNS)
    assert [asked[1:] for asked in engine.queries] == [(True, "alice"), (True, None), (True, None), (False, None)]


async def test_a_name_a_thousand_times_over_costs_no_time(engine, monkeypatch):
    async def query(*_, **__):
        return table.model_copy(update={"columns": ("a",) * 20_000, "rows": ((1,) * 20_000,)})

    table = await engine.query("SELECT 1")
    monkeypatch.setattr(engine, "query", query)
    async with client(engine, network=False) as http:
        columns = (await http.post("/sql", json=RUNS)).json()["columns"]
    assert (columns[:3], columns[-1], len(set(columns))) == (["a", "a_1", "a_2"], "a_19999", 20_000)


@pytest.fixture
async def core(home_folder):
    env = {"AI3_HOME": str(home_folder)}
    async with open_inline(load_settings(env=env, cwd=home_folder), env) as core:
        yield core


async def test_the_real_engine_shows_each_key_its_own_runs_as_of_a_moment(core):
    for run_id, owner in (("r1", "alice"), ("r2", "alice"), ("r3", "bob")):
        start = RunStart(request={"prompt": "hi"})
        await core._journal.put(run_id, [start], meta=RunMeta(owner=owner)).committed()
    alice, alices = new_api_key("alice", ["sql"])
    async with client(core, alices) as http:
        told = (await http.post("/sql", json=RUNS, headers=bearer(alice))).json()
        assert told["rows"] == [{"owner": "alice", "runs": 2}]
        assert told["as_of"].endswith("Z")
        for field in ("query", "sql"):
            body = {field: "SELECT * FROM read_text('/etc/passwd')"}
            wrong = await http.post("/sql", json=body, headers=bearer(alice))
            assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, field)
    async with client(core, network=False) as http:
        told = (await http.post("/sql", json=RUNS)).json()
        assert [row["owner"] for row in told["rows"]] == ["alice", "bob"]
        assert "as_of" not in told
