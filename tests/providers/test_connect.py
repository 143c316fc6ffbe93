"""What cannot be reached is named by its host, never by its key."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from ai3ray.domain.call import Timeouts
from ai3ray.errors import CallRefused, CallTimeout, ConnectFailed, MalformedReply, Overloaded, ProviderError, StreamCut
from ai3ray.providers.anthropic import AnthropicChat
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.openai import OpenAIChat

from .conftest import asks

KEY = "canary-1a2b3c4d"


@pytest.fixture(params=[AnthropicChat, OpenAIChat])
def made(request):
    @asynccontextmanager
    async def opened(base_url):
        chat = request.param(ProviderAccount("lab", base_url, KEY))
        try:
            yield chat
        finally:
            await chat.aclose()

    return opened


@asynccontextmanager
async def answering(reply: bytes, after: bytes = b"\r\n\r\n"):
    """A server that answers every request with the same bytes, and then waits until the client is gone."""
    handlers = []

    async def answer(reader, writer):
        handlers.append(asyncio.current_task())
        try:
            await reader.readuntil(after)
            writer.write(reply)
            writer.write_eof()
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*handlers)


async def failure(made, base_url, timeouts=None, on_text=None):
    async with made(base_url) as chat:
        with pytest.raises(ProviderError) as caught:
            await chat.send(asks(timeouts=timeouts), on_text)
    assert KEY not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    return caught.value


async def test_a_refused_connection_names_the_host(made):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
        error = await failure(made, f"http://{host}/v1")
    assert type(error) is ConnectFailed
    assert f"cannot connect to {host}" in str(error)
    assert (error.status, error.maybe_paid) == (None, False)


async def test_a_name_that_does_not_resolve_is_no_connection(made):
    error = await failure(made, "http://nowhere.invalid")
    assert type(error) is ConnectFailed
    assert "nowhere.invalid" in str(error)


async def test_tls_to_a_server_without_it_is_no_connection(made):
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", after=b"\x16") as url:  # the first byte of a handshake
        error = await failure(made, url.replace("http://", "https://"))
    assert type(error) is ConnectFailed


async def test_a_connection_that_does_not_come_is_a_timeout(made):
    with socket.socket() as full:  # listens, but takes nothing in once its queue is full
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        error = await failure(made, url, Timeouts(connect_s=0.2, total_s=5))
        for filler in fillers:
            filler.close()
    assert type(error) is CallTimeout
    assert "within 0.2 s" in str(error)
    assert not error.maybe_paid


@pytest.mark.parametrize("reply", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 nonsense\r\n\r\n"])
async def test_a_server_of_another_protocol_is_malformed(made, reply):
    async with answering(reply) as url:
        error = await failure(made, url)
    assert type(error) is MalformedReply


@pytest.mark.parametrize("body", [b"[1, 2]", b"null", b'"text"', b"{}", b"\xff\xfe", b'{"choices": [], "content": 3}'])
async def test_a_body_that_is_no_answer_is_malformed(made, body):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with answering(head + body) as url:
        for on_text in (None, [].append):
            error = await failure(made, url, on_text=on_text)
            assert type(error) is MalformedReply
            assert error.maybe_paid


async def test_a_redirect_is_not_followed_with_the_key(made):
    head = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/elsewhere\r\ncontent-length: 0\r\n\r\n"
    async with answering(head) as url:
        error = await failure(made, url)
    assert type(error) is CallRefused
    assert "127.0.0.1:9" in str(error)


async def test_an_error_object_of_status_200_is_that_error(made):
    body = b'{"error": {"type": "overloaded_error", "message": "Overloaded"}}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with answering(head + body) as url:
        for on_text in (None, [].append):
            assert type(await failure(made, url, on_text=on_text)) is Overloaded


async def test_an_empty_stream_is_cut(made):
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 0\r\n\r\n") as url:
        assert type(await failure(made, url, on_text=[].append)) is StreamCut


async def test_what_fails_after_the_end_of_a_stream_takes_nothing_away():
    body = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n"
    async with answering(head + body) as url:
        chat = OpenAIChat(ProviderAccount("lab", url, KEY))
        reply = await chat.send(asks(name="openai"), [].append)
        await chat.aclose()
    assert (reply.text, reply.finish, reply.model) == ("Hi", "stop", "gpt-6-luna")
