"""Classify failures of the connection."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple

from ai3ray.errors import CallTimeout, ConnectFailed, MalformedReply, ProviderError, StreamCut

_SDKS = frozenset({"anthropic", "openai"})


class TransportFailure(NamedTuple):
    """A failure of transport or encoding."""

    error_class: type[ProviderError]
    message: str
    sent: bool
    """True when the request may have reached the provider."""


def transport_failure(error: Exception, host: str, connect_s: float, *, answering: bool) -> TransportFailure | None:
    """Classify a failure of the transport or an SDK; return None for any other error.

    Search the whole chain of causes, the most specific class first: both SDKs wrap the original error, and OpenAI's
    transport reports every lost connection as a connect timeout.

    Args:
        error: the exception raised.
        host: the host called.
        connect_s: the connect limit in seconds.
        answering: whether a reply had begun. A connection lost before that counts as never made, since usually a
            gateway without a provider closed it.
    """
    # No contexts: a call made while an earlier failure is handled has that failure as its context.
    links: list[BaseException] = [error]
    while (cause := links[-1].__cause__) is not None:
        links.append(cause)
    for row in _table(host, connect_s, answering=answering):
        found = next((link for link in links if isinstance(link, row.types)), None)
        if found is not None:
            return TransportFailure(row.error_class, row.message.replace("{}", _reason(found)), row.sent)
    if any(type(link).__module__.partition(".")[0] in _SDKS for link in links):
        return TransportFailure(MalformedReply, _reason(error), sent=True)
    return None


class _Row(NamedTuple):
    types: tuple[type[BaseException], ...]
    error_class: type[ProviderError]
    message: str
    sent: bool = True


def _table(host: str, connect_s: float, *, answering: bool) -> Sequence[_Row]:
    """Return the rows, most specific first. A failed call has imported these libraries already."""
    import aiohttp
    import httpx2

    refused, late = f"cannot connect to {host}: {{}}", f"no connection to {host} within {connect_s:g} s"
    lost, silent = StreamCut if answering else ConnectFailed, f"{host} stopped sending"
    cut = f"{host} closed the connection {'before the reply was complete' if answering else 'without a reply'}"
    garbled = f"{host} sent an invalid reply: {{}}"
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


def _reason(error: BaseException) -> str:
    cause = getattr(error, "os_error", None)  # plainer than aiohttp's own message, which repeats the host
    if isinstance(cause, ConnectionError) and cause.errno:
        return os.strerror(cause.errno)
    if isinstance(cause, socket.gaierror) and cause.strerror:
        return cause.strerror
    return str(error).strip() or type(error).__name__
