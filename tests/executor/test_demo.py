"""What a run says when an embedded model wrote some of it, and who plans when no model can."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from ai3ray.connect import connect
from ai3ray.domain.call import Attempt
from ai3ray.domain.persistent_map import PersistentMap
from ai3ray.domain.request import RunRequest
from ai3ray.domain.run import RunState
from ai3ray.executor.acceptance import check_request
from ai3ray.executor.configured_models import ConfiguredModels
from ai3ray.registry.registry import Registry
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.load import load_settings
from tests.executor.graphs import asked

KEYS = "ANTHROPIC_API_KEY, OPENAI_API_KEY or XAI_API_KEY"
DEMO = "local/smollm2-135m"


@pytest.fixture
def models(tmp_path):
    settings = load_settings(env={"AI3_HOME": str(tmp_path)}, cwd=tmp_path)
    return lambda *configured: ConfiguredModels(Registry.load(settings), settings, configured)


def wrote(*models: str, role="task", status="succeeded") -> RunState:
    attempts = {
        f"a{n}": Attempt(
            run_id="r", attempt_id=f"a{n}", role=role, n=1, provider=model.partition("/")[0], model=model, status=status
        )
        for n, model in enumerate(models)
    }
    return RunState(attempts=PersistentMap(attempts))


def test_without_any_other_model_the_note_names_the_variables_to_set(models):
    embedded = models("local").embedded(wrote(DEMO, DEMO))
    assert embedded == ("SmolLM2-135M",)
    assert models("local").note(embedded, "template") == (
        f"*Planned by template, written by SmolLM2-135M (embedded demo model); set {KEYS} for real quality.*"
    )
    assert KEYS in models("local").warning(embedded).message


def test_where_keys_are_set_the_note_does_not_ask_for_them(models):
    note = models("local", "xai").note(("SmolLM2-135M",), "file")
    assert note == "*Written by SmolLM2-135M (embedded demo model).*"


def test_only_what_an_embedded_model_has_written_counts(models):
    assert models("local", "xai").embedded(wrote("xai/grok-4.7")) == ()
    assert models("local", "xai").embedded(wrote("xai/grok-4.7", DEMO)) == ("SmolLM2-135M",)
    assert models("local").embedded(wrote(DEMO, status="failed")) == ()
    assert models("local").embedded(wrote(DEMO, role="judge")) == ()


@pytest.mark.parametrize(
    ("configured", "fields", "can"),
    [
        (("local",), {}, False),
        (("local", "xai"), {}, True),
        (("local", "xai"), {"models": (DEMO,)}, False),
        (("local", "xai"), {"models": (DEMO, "xai/grok-4.7")}, True),
        (("xai",), {"models": ("xai/grok-build-0.1",)}, False),
        (("local", "xai"), {"models": (DEMO,), "planner_model": "xai/grok-4.7"}, True),
        (("local", "xai"), {"planner_model": DEMO}, False),
        (("xai",), {"models": ("xai/anything",)}, True),
    ],
)
def test_a_template_plans_only_where_no_model_that_may_be_asked_can(models, configured, fields, can):
    assert models(*configured).can_plan(RunRequest(prompt="x", **fields)) is can


def test_a_demo_model_is_named_in_a_request_like_any_other(tmp_path):
    settings = load_settings(env={"AI3_HOME": str(tmp_path)}, cwd=tmp_path)
    for name in (DEMO, "smollm2-135m"):
        checked = check_request(
            RunRequest(prompt="x", models=(name,)), settings, Registry.load(settings), ("xai", "local")
        )
        assert checked.request.models == (DEMO,)


async def test_a_provider_whose_models_cannot_plan_gets_a_template(client, simulator):
    request = asked(prompt="Write a 3-section blog post about AI", models=("grok-build-0.1",))
    events = [event async for event in client.stream(request)]
    (planned,) = [event for event in events if event.type == "plan" and event.phase == "completed"]
    assert (planned.source, len(planned.plan["tasks"])) == ("template", 3)
    assert [call.model for call in simulator.ledger.calls] == ["grok-build-0.1"] * 3
    assert not any(event.type == "warning" and event.code == "demo_model" for event in events)


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="xllamacpp is not installed: uv sync --group local")
async def test_without_a_key_a_prompt_gets_a_template_plan_and_a_signed_answer(home_folder: Path):
    if EmbeddedModelFiles(home_folder).remedy():
        pytest.skip("the weights are not installed: ai3 local install")
    env = {"AI3_HOME": str(home_folder)}
    async with connect(load_settings(env=env, cwd=home_folder), env, inline=True, notify=print) as client:
        accepted = await client.submit(asked(prompt="What is the capital of Japan?"))
        events = [event async for event in client.events(accepted.run_id)]
        result = await client.result(accepted.run_id)
    assert [event.source for event in events if event.type == "plan"][-1] == "template"
    assert [event.code for event in events if event.type == "warning"][-1] == "demo_model"
    assert result.status == "succeeded"
    assert "Tokyo" in result.output
    assert result.output.splitlines()[-1].startswith("*Planned by template, written by SmolLM2-135M")
    assert (result.tasks[0].model, result.stats.cost_usd, result.stats.cost_complete) == (DEMO, 0.0, True)
    assert json.loads(result.model_dump_json())["warnings"]
