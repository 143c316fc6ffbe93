"""The embedded model's adapter and process, over a stand-in for its runtime; the model itself once, at the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ai3ray.domain.call import Message, ModelCall, Prompt
from ai3ray.errors import ConnectFailed, ModelGone, StreamCut
from ai3ray.providers.embedded import server_process
from ai3ray.providers.embedded.adapter import ANSWER_TOKENS, SHORT_ANSWER_TOKENS, EmbeddedChat, adapt_prompt
from ai3ray.providers.embedded.server_process import ServerProcess, usable_cores
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from tests.providers.embedded.runtime import write_runtime

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def asks(text="Say hello.", model="tiny", **fields) -> ModelCall:
    return ModelCall(model=model, prompt=Prompt(messages=(Message(role="user", text=text),), **fields))


@pytest.fixture
def files(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(write_runtime(tmp_path / "runtime")))
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(EmbeddedModelFiles, "runtime", lambda model: tmp_path / "runtime")
    return EmbeddedModelFiles(tmp_path / "home", str(tmp_path / "tiny.gguf"))


@pytest.fixture
async def chat(files):
    chat = EmbeddedChat(provider="local", files=files)
    yield chat
    await chat.aclose()


async def told(chat, call) -> dict:
    """What the server says of the request."""
    return json.loads((await chat.send(call)).text)


async def test_calls_that_come_first_together_share_one_process_and_it_ends_with_the_adapter(chat):
    pids = {reply["pid"] for reply in await asyncio.gather(*(told(chat, asks()) for _ in range(4)))}
    assert len(pids) == 1
    await chat.aclose()
    assert not Path(f"/proc/{pids.pop()}").exists()


async def test_a_call_is_streamed_unheard_sampled_coolly_and_costs_nothing(chat):
    asked = (await told(chat, asks()))["asked"]
    assert (asked["stream"], asked["temperature"], asked["repeat_penalty"]) == (True, 0.2, 1.1)
    reply = await chat.send(asks())
    assert (reply.cost_usd, reply.model, reply.finish) == (0.0, "tiny", "stop")


@LINUX
async def test_no_key_of_ours_reaches_the_process_and_its_own_is_in_no_argument(chat, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-000000")
    said = await told(chat, asks())
    assert said["keys"] == []
    assert chat._process.key not in Path(f"/proc/{said['pid']}/cmdline").read_text()
    assert chat._process.key not in Path(f"/proc/{said['pid']}/environ").read_text()


async def test_an_answer_cut_by_our_cap_ends_with_a_sentence_and_one_cut_by_the_callers_is_cut(chat):
    ours = await chat.send(asks("LONG"))
    assert (ours.text, ours.finish) == ("One. Two.", "stop")
    theirs = await chat.send(asks("LONG", max_output_tokens=5))
    assert (theirs.text, theirs.finish) == ("One. Two. Thr", "length")


async def test_the_short_form_is_asked_without_a_system_prompt():
    call = asks("much around it", brief="Write about tea.", system="Be good.", temperature=0.9)
    short = adapt_prompt(call.prompt)
    assert (short.system, [message.text for message in short.messages]) == ("", ["Write about tea."])
    assert (short.temperature, short.max_output_tokens) == (0.2, ANSWER_TOKENS)
    assert adapt_prompt(asks("Why is the sky blue?").prompt).max_output_tokens == SHORT_ANSWER_TOKENS
    assert adapt_prompt(asks("Why?", max_output_tokens=9).prompt).max_output_tokens == 9
    assert adapt_prompt(asks(json_schema={"type": "object"}).prompt).max_output_tokens == 4096


async def test_a_process_that_died_is_started_again_by_the_next_call(chat):
    first = (await told(chat, asks()))["pid"]
    with pytest.raises((StreamCut, ConnectFailed)) as raised:
        await chat.send(asks("DIE"))
    assert (raised.value.provider, raised.value.model) == ("local", "tiny")
    assert (await told(chat, asks()))["pid"] != first


async def test_a_proxy_of_the_machine_is_not_asked(chat, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await chat.send(asks())).finish == "stop"


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("libgomp", ModelGone, "libgomp.so.1 is missing: run `apt-get install -y libgomp1`"),
        ("broken", ModelGone, r"tiny\.gguf cannot be loaded: it must be a complete GGUF file"),
        ("crash", ConnectFailed, r"did not start: ended by signal 6 \(see .*local-model.log\)"),
    ],
)
async def test_a_process_that_cannot_serve_says_why_in_one_line(chat, monkeypatch, how, error, words):
    monkeypatch.setenv("GGML_FAKE_RUNTIME", how)
    with pytest.raises(error, match=words) as raised:
        await chat.send(asks())
    assert "\n" not in str(raised.value)
    assert (raised.value.provider, raised.value.model) == ("local", "tiny")
    monkeypatch.delenv("GGML_FAKE_RUNTIME")
    assert (await chat.send(asks())).finish == "stop"  # once that is mended


async def test_files_that_are_missing_and_models_that_are_others_are_told(files, chat):
    with pytest.raises(ModelGone, match="the embedded model is tiny"):
        await chat.send(asks(model="huge"))
    Path(files.given).unlink()
    with pytest.raises(ModelGone, match="set AI3_LOCAL_MODEL to a GGUF file"):
        await chat.send(asks())


async def test_a_call_that_is_cancelled_while_the_process_starts_leaves_none_behind(files):
    process = ServerProcess(files)
    starting = asyncio.create_task(process.start())
    while process._process is None:
        await asyncio.sleep(0)
    pid = process._process.pid
    starting.cancel()
    await asyncio.wait({starting})
    assert not Path(f"/proc/{pid}").exists()


@LINUX
async def test_the_process_ends_with_a_parent_that_is_killed(files, tmp_path):
    code = (
        "import asyncio, sys; from pathlib import Path; from ai3ray.settings.embedded_files import EmbeddedModelFiles\n"
        "from ai3ray.providers.embedded.server_process import ServerProcess\n"
        f"EmbeddedModelFiles.runtime = lambda model: Path({str(tmp_path / 'runtime')!r})\n"
        f"process = ServerProcess(EmbeddedModelFiles(Path({str(files.home)!r}), {files.given!r}))\n"
        "async def main():\n"
        "    await process.start()\n"
        "    print(process._process.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "runtime"), str(Path(__file__).parents[2])])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=env, text=True) as parent:
        pid = int(parent.stdout.readline())
        gone = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(gone, ended.set)
    async with asyncio.timeout(3):
        await ended.wait()
    asyncio.get_running_loop().remove_reader(gone)
    os.close(gone)


@LINUX
def test_a_containers_quota_bounds_the_cores(monkeypatch):
    asked: list[str] = []

    def quota(text):
        def read_text(path, encoding):
            asked.append(str(path))
            return text

        return read_text

    monkeypatch.setattr(server_process.os, "sched_getaffinity", lambda _: set(range(16)))
    for text, cores in (("max 100000", 16), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 16)):
        monkeypatch.setattr(Path, "read_text", quota(text))
        assert usable_cores() == cores
    assert set(asked) == {"/sys/fs/cgroup/cpu.max"}


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed: uv sync --group local")
async def test_the_model_itself_answers_stops_when_cancelled_and_fits_a_schema(tmp_path):
    files = EmbeddedModelFiles(tmp_path)
    if files.remedy():
        pytest.skip("the weights are not installed: ai3 local install")
    chat = EmbeddedChat(provider="local", files=files)
    pieces: list[str] = []
    reply = await chat.send(asks("What is the capital of Japan?", model=files.model_id), pieces.append)
    assert "Tokyo" in reply.text
    assert "".join(pieces).startswith(reply.text[:20])
    assert reply.usage.output_tokens > 3
    endless = asyncio.create_task(chat.send(asks("Write a long story.", model=files.model_id), pieces.append))
    seen = len(pieces)
    while len(pieces) == seen:
        await asyncio.sleep(0.01)
    endless.cancel()
    await asyncio.wait({endless})
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}},
        "required": ["colour"],
        "additionalProperties": False,
    }
    answer = await chat.send(asks("Name a colour.", model=files.model_id, json_schema=schema, max_output_tokens=40))
    assert json.loads(answer.text)["colour"] in {"red", "blue"}
    await chat.aclose()
