"""`ai3 models`: the registry with live telemetry."""

from __future__ import annotations

from .. import options
from ..command_context import load_context
from ..render.final_answer import print_json
from ..render.model_table import models_json, models_table
from ..streams import render_text, write_stdout


def models(
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """List the models and their measured results.

    $/Mtok are list prices in US dollars per million tokens, input / output. The columns after the
    state are measured: calls, the model's share of the latest 200 calls, success rate, seconds (median
    and 95th percentile), cost per thousand tokens, and cost of all calls.

    Examples:
      ai3 models
      ai3 models --json | jq -r '.[] | select(.state == "ready") | .model'
    """
    views = load_context(config, server).read(lambda reader: reader.models())
    if as_json:
        print_json(models_json(views))
    else:
        write_stdout(render_text(models_table(views)))
