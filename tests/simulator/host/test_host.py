"""The simulator can be hosted where it is needed, and leaves nothing behind."""

import asyncio
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from ai3ray.simulator import Pace, SimulatorSettings, running, running_in_thread

FAST = SimulatorSettings.load(pace=Pace(first_token_s=0.001, tokens_per_s=50_000))
HELLO = {"model": "gpt-6-luna", "messages": [{"role": "user", "content": "Hi"}]}
KEY = {"authorization": "Bearer k"}


async def test_two_in_one_loop_have_addresses_and_ledgers_of_their_own():
    async with running(FAST) as one, running(FAST) as two, httpx.AsyncClient(headers=KEY) as client:
        reply = await client.post(f"{one.base_url}/v1/chat/completions", json=HELLO)
        assert reply.status_code == 200
        assert (len(one.ledger.calls), len(two.ledger.calls)) == (1, 0)
        assert one.base_url != two.base_url
        assert one.base_url.startswith("http://127.0.0.1:")


async def test_it_ends_although_a_call_is_open():
    async with httpx.AsyncClient(headers=KEY) as client:
        async with running(FAST) as sim:
            sim.set_faults({"fault": "stall"})
            call = asyncio.create_task(client.post(f"{sim.base_url}/v1/chat/completions", json=HELLO))
            await client.get(f"{sim.base_url}/_sim/ledger", params={"wait_calls": 1})
        with pytest.raises(httpx.TransportError):
            await call
    assert sim.ledger.calls[0].cancelled


def test_a_thread_hosts_it_for_synchronous_code_and_ends():
    with running_in_thread(FAST) as sim:
        assert httpx.post(f"{sim.base_url}/v1/chat/completions", json=HELLO, headers=KEY).status_code == 200
    assert all(thread.name != "simulator" or thread.daemon for thread in threading.enumerate())
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{sim.base_url}/_sim/ledger")


async def test_a_port_that_is_taken_is_an_os_error():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with running(FAST, port=taken.getsockname()[1]):
            pass


def test_its_variables_send_every_provider_here():
    with running_in_thread(FAST) as sim:
        env = sim.env()
    assert {name for name in env if name.endswith("_BASE_URL")} == {
        "ANTHROPIC_BASE_URL",
        "OPENAI_BASE_URL",
        "XAI_BASE_URL",
    }
    assert all(value.startswith(sim.base_url) for name, value in env.items() if name.endswith("_BASE_URL"))


def test_importing_the_package_loads_no_server():
    code = "import sys, ai3ray.simulator; print({'starlette', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
