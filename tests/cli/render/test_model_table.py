"""The registry as a table."""

import json

from ai3ray.domain.listings import ModelView
from cli.render.model_table import models_json, models_table
from cli.streams import render_text

VIEW = ModelView(
    model="sim/fast",
    provider="sim",
    tier="small",
    context=200_000,
    max_output=8192,
    configured=True,
    state="ready",
    input_usd_per_mtok=0.5,
    output_usd_per_mtok=None,
    calls=4,
    success=0.75,
    p50_s=1.2,
    p95_s=3.4,
    cost_usd=0.02,
    cost_per_1k_tokens=0.00123,
    share=0.4,
)


def test_a_model_is_one_line():
    line = render_text(models_table([VIEW])).splitlines()[1]
    assert " ".join(line.split()) == "sim/fast small 200k 0.5 / ? ready 4 40% 75% 1.20 s 3.40 s 0.0012 $0.0200"


def test_a_model_that_was_never_called_has_cost_nothing_and_not_an_unknown_sum():
    nothing = dict.fromkeys(("success", "p50_s", "p95_s", "cost_usd", "cost_per_1k_tokens"))
    unused = VIEW.model_copy(update={"calls": 0, "share": 0.0, **nothing})
    assert render_text(models_table([unused])).splitlines()[1].split()[-7:] == ["0", *"------"]


def test_windows_are_told_in_short():
    wide = [VIEW.model_copy(update={"context": context}) for context in (4096, 1_000_000, 1_050_000)]
    assert [line.split()[2] for line in render_text(models_table(wide)).splitlines()[1:]] == ["4k", "1M", "1.05M"]


def test_json_is_the_views():
    assert json.loads(models_json([VIEW])) == [VIEW.model_dump()]
