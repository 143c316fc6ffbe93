"""`ai3 doctor`: what is configured, reachable, missing."""

from __future__ import annotations

import typer

from ai3ray.errors import SettingsError

from .. import options
from ..checks.diagnosis import diagnose, diagnose_without_settings
from ..checks.finding import healthy
from ..command_context import load_context, run_async
from ..render.diagnosis_text import diagnosis_json, diagnosis_text
from ..render.final_answer import print_json
from ..streams import render_text, write_stdout


def doctor(
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Check this computer, the home and the providers.

    Each problem is shown with its remedy. Each provider is asked for its list of models, which costs
    nothing; nothing is started. The exit code is 1 when a check failed; warnings alone leave it 0.

    Examples:
      ai3 doctor
      ai3 doctor --json | jq -r '.checks[] | select(.status != "ok") | .remedy'
    """
    try:
        findings = run_async(diagnose(load_context(config, server)))
    except SettingsError as error:
        findings = diagnose_without_settings(error)
    if as_json:
        print_json(diagnosis_json(findings))
    else:
        write_stdout(render_text(diagnosis_text(findings)))
    raise typer.Exit(0 if healthy(findings) else 1)
