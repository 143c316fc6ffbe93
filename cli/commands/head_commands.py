"""`ai3 up`, `ai3 down`, `ai3 status`: the local head."""

from __future__ import annotations

from ai3ray.client.client import Client
from ai3ray.client.local_head import HeadAddress, ensure_head, head_status, stop_head

from .. import options
from ..command_context import load_context, notify, run_async
from ..render.final_answer import print_json
from ..render.head_status import status_json, status_text
from ..streams import write_stdout


def up(config: options.Config = None) -> None:
    """Start the local head and keep it.

    It keeps running when it has nothing to do, until 'ai3 down'.

    Examples:
      ai3 up && ai3 run "Hello"
    """
    context = load_context(config)

    async def start_and_keep() -> HeadAddress:
        head = await ensure_head(context.settings, context.env, notify=notify)
        async with Client(socket=head.socket) as client:
            await client.keep_head()
        return head

    head = run_async(start_and_keep())
    write_stdout(f"the local head is up: pid {head.pid}, socket {head.socket}\n")


def down(config: options.Config = None) -> None:
    """Stop the local head.

    Its runs stay in the journal.

    Examples:
      ai3 down
    """
    head = run_async(stop_head(load_context(config).settings))
    write_stdout(f"stopped the local head (pid {head.pid})\n" if head else "no head is running\n")


def status(as_json: options.AsJson = False, config: options.Config = None) -> None:
    """Show the local head.

    Examples:
      ai3 status
      ai3 status --json | jq .pid
    """
    settings = load_context(config).settings
    found = run_async(head_status(settings))
    if as_json:
        print_json(status_json(found, settings.home))
    else:
        write_stdout(status_text(found, settings.home))
