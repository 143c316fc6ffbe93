"""`ai3 models`: the registry with live telemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai3ray.domain.listings import ModelView

    from ..command_context import CommandContext


def models(
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """List the models and how they have done.

    $/Mtok are list prices in US dollars per million tokens, input / output. What follows has been
    measured: calls, the model's share of the latest 200, how many succeeded, their seconds, what a
    thousand tokens cost, and all calls together.

    Examples:
      ai3 models
      ai3 models --json | jq -r '.[] | select(.state == "ready") | .model'
    """
    from ..command_context import load_context, run_async
    from ..render.final_answer import print_json
    from ..render.model_table import models_json, models_table
    from ..streams import render_text, write_stdout

    views = run_async(_views(load_context(config, server)))
    if as_json:
        print_json(models_json(views))
    else:
        write_stdout(render_text(models_table(views)))


async def _views(context: CommandContext) -> Sequence[ModelView]:
    async with context.reader() as reader:
        return await reader.models()
