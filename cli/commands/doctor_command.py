"""`ai3 doctor`: what is configured, reachable, missing."""

from __future__ import annotations

import typer

from .. import options


def doctor(
    as_json: options.AsJson = False,
    server: options.Server = None,
    config: options.Config = None,
) -> None:
    """Check this computer, the home and the providers; say what to do about what is wrong.

    It asks each provider for its list of models, which costs nothing, and starts nothing. The exit
    code is 1 when something failed; warnings alone leave it 0.

    Examples:
      ai3 doctor
      ai3 doctor --json | jq -r '.checks[] | select(.status != "ok") | .remedy'
    """
    from ai3ray.errors import SettingsError

    from ..checks.diagnosis import diagnosis, without_settings
    from ..checks.finding import healthy
    from ..command_context import complete, prepared
    from ..render.diagnosis_text import diagnosis_json, diagnosis_text
    from ..render.final_answer import emit_json
    from ..streams import emit, rendered

    try:
        findings = complete(diagnosis(prepared(config, server)))
    except SettingsError as error:
        findings = without_settings(error)
    emit_json(diagnosis_json(findings)) if as_json else emit(rendered(diagnosis_text(findings)))
    raise typer.Exit(0 if healthy(findings) else 1)
