"""The registry as a table."""

import json

from ai3ray.domain.views import ModelView
from cli.render_models import models_json, models_table
from cli.streams import rendered

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
)


def test_a_model_is_one_line():
    line = rendered(models_table([VIEW])).splitlines()[1]
    assert " ".join(line.split()) == "sim/fast small 200,000 0.5 / ? ready 4 75% 1.20 s 3.40 s $0.0200"


def test_a_model_that_was_never_called_has_cost_nothing_and_not_an_unknown_sum():
    unused = VIEW.model_copy(update={"calls": 0, "success": None, "p50_s": None, "p95_s": None, "cost_usd": None})
    assert rendered(models_table([unused])).splitlines()[1].split()[-5:] == ["0", "-", "-", "-", "-"]


def test_json_is_the_views():
    assert json.loads(models_json([VIEW])) == [VIEW.model_dump()]
