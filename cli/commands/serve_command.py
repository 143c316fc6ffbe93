"""`ai3 serve`: this home's head on HTTP, for others too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import options

if TYPE_CHECKING:
    from ai3ray.domain.serving import ServeRequest, ServeState

    from ..command_context import CommandContext

Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")]


def serve(host: Host = "127.0.0.1", port: Port = 8000, config: options.Config = None) -> None:
    """Serve the HTTP API with Ray Serve until Ctrl-C.

    It is added to the local head, which is started if need be and stays when this ends, with all
    runs. On another address than this computer's own it wants keys: AI3_API_KEYS, see 'ai3 keys new'.

    Examples:
      ai3 serve
      curl --no-buffer http://127.0.0.1:8000/stream/run -d '{"prompt": "Name three rivers"}'
      AI3_API_KEYS=$(ai3 keys new alice --json | tee alice.json | jq -r .entry) ai3 serve --host 0.0.0.0
    """
    from ai3ray.domain.serving import ServeRequest
    from ai3ray.settings.access_rules import access_rules

    from ..command_context import load_context, run_async
    from ..listening import free_port

    context = load_context(config)
    rules = access_rules(context.settings, host)
    run_async(_served(context, ServeRequest(host=host, port=free_port(host, port), rules=rules)))


async def _served(context: CommandContext, request: ServeRequest) -> None:
    """Have the head serve until this is interrupted."""
    import asyncio
    from contextlib import aclosing

    from ai3ray.client.client import Client
    from ai3ray.client.local_head import ensure_head
    from ai3ray.errors import HeadUnavailable

    from ..command_context import notify
    from ..interrupt import Interrupts

    with Interrupts() as interrupts:
        head = await ensure_head(context.settings, context.env, notify=notify)
        async with Client(socket=head.socket) as client:
            try:
                async with aclosing(client.serve(request)) as changes:
                    async for serving in changes:
                        _show(serving, request)
                raise HeadUnavailable(f"the local head (pid {head.pid}) serves no more")
            except asyncio.CancelledError:
                if not interrupts.requested:
                    raise
                interrupts.handled()
                notify("closing; the local head stays, and so do its runs")
                await client.unserve()


def _show(serving: ServeState, request: ServeRequest) -> None:
    """Say how it stands; raises EngineError when it cannot be."""
    from ai3ray.errors import EngineError

    from ..command_context import notify
    from ..streams import write_stdout

    if serving.status == "starting":
        notify("starting Ray Serve …")
    elif serving.status == "failed":
        raise EngineError(f"cannot serve on {request.host}:{request.port}: {serving.message}")
    elif serving.status == "serving":
        whom = ", ".join(dict.fromkeys(key.name for key in request.rules.keys)) or "this computer only, no keys"
        write_stdout(f"serving {serving.url} ({whom}); Ctrl-C ends it\n")
