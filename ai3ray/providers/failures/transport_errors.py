"""What it means when the connection, not the provider, failed a call."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ai3ray.errors import CallTimeout, ConnectFailed, MalformedReply, ProviderError, StreamCut

_SDKS = frozenset({"anthropic", "openai"})


class TransportFailure(NamedTuple):
    """A failure of transport or encoding."""

    kind: type[ProviderError]
    message: str
    sent: bool
    """Whether the request may have reached the provider."""


def transport_failure(error: Exception, host: str, connect_s: float, *, answering: bool) -> TransportFailure | None:
    """Read a transport's or an SDK's failure; None when it is neither's.

    The whole chain is searched, the most telling class first: both SDKs wrap what happened, and OpenAI's
    transport calls every lost connection a connect timeout, even one that was lost after the request was sent.

    Args:
        error: what was raised.
        host: whom the call went to.
        connect_s: the limit for connecting, in seconds.
        answering: whether an answer had begun. A connection that is lost before counts as none: what
            closes it unanswered is as a rule a gateway without a provider behind it.
    """
    links = tuple(_causes(error))
    for row in _table(host, connect_s, answering=answering):
        found = next((link for link in links if isinstance(link, row.types)), None)
        if found is not None:
            return TransportFailure(row.kind, row.words.replace("{}", _reason(found)), row.sent)
    if any(type(link).__module__.partition(".")[0] in _SDKS for link in links):
        return TransportFailure(MalformedReply, _reason(error), sent=True)
    return None


class _Row(NamedTuple):
    types: tuple[type[BaseException], ...]
    kind: type[ProviderError]
    words: str
    sent: bool = True


def _table(host: str, connect_s: float, *, answering: bool) -> Sequence[_Row]:
    """Most telling first. Built late: whoever asks has these libraries loaded, others need not pay for them."""
    import aiohttp
    import httpx2

    refused, late = f"cannot connect to {host}: {{}}", f"no connection to {host} within {connect_s:g} s"
    lost, silent = StreamCut if answering else ConnectFailed, f"{host} stopped sending"
    cut = f"{host} closed the connection {'before the answer was complete' if answering else 'without an answer'}"
    garbled = f"{host} answered what the protocol does not allow: {{}}"
    return (
        _Row((aiohttp.ConnectionTimeoutError,), CallTimeout, late, sent=False),
        _Row((aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError), ConnectFailed, refused, sent=False),
        _Row((aiohttp.InvalidURL,), ConnectFailed, refused, sent=False),
        _Row((aiohttp.ServerTimeoutError,), CallTimeout, silent),
        _Row((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError), lost, cut),
        _Row((aiohttp.ClientError,), MalformedReply, garbled),
        _Row((httpx2.ConnectTimeout, httpx2.PoolTimeout), CallTimeout, late, sent=False),
        _Row((httpx2.ConnectError, httpx2.ProxyError, httpx2.UnsupportedProtocol), ConnectFailed, refused, sent=False),
        _Row((httpx2.InvalidURL, httpx2.LocalProtocolError), ConnectFailed, refused, sent=False),
        _Row((httpx2.TimeoutException,), CallTimeout, silent),
        _Row((httpx2.DecodingError,), MalformedReply, garbled),
        _Row((httpx2.TransportError, httpx2.StreamError), lost, cut),
        _Row((ConnectionRefusedError, socket.gaierror, ssl.SSLError), ConnectFailed, refused, sent=False),
        _Row((TimeoutError,), CallTimeout, silent),
        _Row((OSError, EOFError), lost, cut),
        _Row((ValueError, AssertionError), MalformedReply, garbled),
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    # Causes only, no contexts: the context of a call made while an earlier failure is handled is that failure.
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _reason(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__
