"""`ai3 serve`: this home's head on HTTP, for others too."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Annotated

import typer

from ai3ray.client.client import Client
from ai3ray.client.local_head import ensure_head
from ai3ray.domain.serving import ServeRequest, ServeState
from ai3ray.errors import EngineError, HeadUnavailable
from ai3ray.settings.access_rules import access_rules

from .. import options
from ..command_context import CommandContext, load_context, notify, run_async
from ..free_port import free_port
from ..interrupt import Interrupts
from ..streams import write_stdout

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")]


def serve(host: Host = "127.0.0.1", port: Port = 8000, config: options.Config = None) -> None:
    """Serve the HTTP API with Ray Serve until Ctrl-C.

    The API is added to the local head, which is started if needed; the head and its runs go on when
    this command ends. Addresses other than this computer's own require API keys: AI3_API_KEYS, see
    'ai3 keys new'.

    Examples:
      ai3 serve
      curl --no-buffer http://127.0.0.1:8000/stream/run -d '{"prompt": "Name three rivers"}'
      AI3_API_KEYS=$(ai3 keys new alice --json | tee alice.json | jq -r .entry) ai3 serve --host 0.0.0.0
    """
    context = load_context(config)
    rules = access_rules(context.settings, host)
    run_async(_serve_until_interrupted(context, ServeRequest(host=host, port=free_port(host, port), rules=rules)))


async def _serve_until_interrupted(context: CommandContext, request: ServeRequest) -> None:
    with Interrupts() as interrupts:
        head = await ensure_head(context.settings, context.env, notify=notify)
        async with Client(socket=head.socket) as client:
            try:
                async with aclosing(client.serve(request)) as changes:
                    async for serving in changes:
                        _show(serving, request)
                raise HeadUnavailable(f"the local head (pid {head.pid}) stopped serving; run 'ai3 serve' again")
            except asyncio.CancelledError:
                if not interrupts.requested:
                    raise
                interrupts.handled()
                notify("stopping the HTTP API; the local head and its runs go on")
                await client.unserve()


def _show(serving: ServeState, request: ServeRequest) -> None:
    if serving.status == "starting":
        notify("starting Ray Serve …")
    elif serving.status == "failed":
        raise EngineError(f"cannot serve on {request.host}:{request.port}: {serving.message}")
    elif serving.status == "serving":
        callers = ", ".join(dict.fromkeys(key.name for key in request.rules.keys)) or "this computer only, no keys"
        write_stdout(f"serving {serving.url} ({callers}); press Ctrl-C to stop\n")
