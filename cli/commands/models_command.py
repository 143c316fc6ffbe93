"""`ai3 models`: the registry with live telemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai3ray.domain.listings import ModelView

    from ..command_context import Setup


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
    from ..command_context import complete, prepared
    from ..render.final_answer import emit_json
    from ..render.model_table import models_json, models_table
    from ..streams import emit, rendered

    views = complete(_views(prepared(config, server)))
    if as_json:
        emit_json(models_json(views))
    else:
        emit(rendered(models_table(views)))


async def _views(setup: Setup) -> Sequence[ModelView]:
    async with setup.reader() as reader:
        return await reader.models()
