"""What `serve run` finds out before it starts anything, and what `configs/serve.yaml` says."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import click
import pytest
import yaml

from ai3ray import entry
from ai3ray.client.head_paths import head_paths
from ai3ray.errors import HeadUnavailable, JournalLocked, SettingsError
from ai3ray.settings.model import Settings
from ai3ray.settings.packaged import configs_dir
from deployments.local_head.lock import lock_home

pytest.importorskip("ray.serve")

from deployments.ray_serve import home_checks
from deployments.ray_serve.home_checks import check_home, prepare

HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def settings(short_path, monkeypatch) -> Settings:
    monkeypatch.setattr(home_checks, "LOCKED_S", 0.1)
    return Settings(home=short_path)


@pytest.fixture
async def holder(settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that has the journal open."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(settings.journal_path), stdin=-1, stdout=-1
    )
    await process.stdout.readline()
    yield process
    process.stdin.close()
    await process.wait()


def test_a_free_home_is_free_with_a_journal_and_without(settings):
    check_home(settings)
    settings.journal_path.write_bytes(b"no journal at all")
    check_home(settings)  # what is wrong with it is for the core to say


async def test_a_home_whose_journal_is_held_names_the_holder_and_what_to_do(settings, holder):
    with pytest.raises(JournalLocked, match=rf"process {holder.pid} owns .* stop it"):
        await asyncio.to_thread(check_home, settings)


def test_a_home_whose_head_is_up_names_it_and_what_to_do(settings):
    home_lock = lock_home(head_paths(settings.home))
    head = home_lock.publish(lambda salt: {})
    with pytest.raises(HeadUnavailable, match=rf"pid {head.pid}.*`ai3 down`.*`ai3 serve`"):
        check_home(settings)
    home_lock.withdraw()
    home_lock.listener.close()


def serve_command(**params) -> click.Context:
    context = click.Context(click.Command("run"), info_name="run")
    context.params = params
    return context


def test_serve_run_ends_with_one_line_and_an_exit_code(monkeypatch, capsys, short_path):
    monkeypatch.setenv("RAY_SERVE_DEFAULT_HTTP_HOST", "")
    monkeypatch.setattr(home_checks, "serve_host", lambda: "0.0.0.0")
    monkeypatch.setenv("AI3_HOME", str(short_path))
    monkeypatch.delenv("AI3_API_KEYS", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with serve_command(address=None), pytest.raises(SystemExit) as ended:
        prepare()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("ai3: listening on 0.0.0.0 requires API keys; set AI3_API_KEYS")


def test_a_program_that_asks_for_the_app_gets_the_error(monkeypatch, short_path):
    monkeypatch.setattr(home_checks, "serve_host", lambda: "0.0.0.0")
    monkeypatch.setenv("AI3_HOME", str(short_path))
    monkeypatch.delenv("AI3_API_KEYS", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(SettingsError, match="AI3_API_KEYS"):
        prepare()


def test_somebody_s_cluster_has_its_own_home_and_keys(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with serve_command(address="ray-head:6379"):
        assert prepare() == (None, None)


def test_the_yaml_serves_this_computer_as_the_code_does():
    from ray.serve.schema import ServeDeploySchema

    from deployments.serve import GRACE_S, MAX_ONGOING, MAX_QUEUED

    text = (configs_dir() / "serve.yaml").read_text()
    config = ServeDeploySchema.model_validate(yaml.safe_load(text))
    assert (config.http_options.host, config.http_options.request_timeout_s) == ("127.0.0.1", None)
    (app,) = config.applications
    (api,) = app.deployments
    assert app.route_prefix == "/"
    assert (api.max_ongoing_requests, api.max_queued_requests) == (MAX_ONGOING, MAX_QUEUED)
    assert api.graceful_shutdown_timeout_s == GRACE_S
    assert "env_vars" not in json.dumps(yaml.safe_load(text))


def test_the_app_is_made_when_it_is_asked_for_in_a_checkout_and_in_a_wheel(monkeypatch, short_path):
    from ray.serve import Application

    from deployments import serve

    made = []
    monkeypatch.setattr(serve, "prepare", lambda: made.append(1) or (None, None))
    assert "app" not in vars(serve)
    assert isinstance(serve.app, Application)
    assert isinstance(entry.app, Application)  # what the YAML names: it is there in a wheel too
    assert len(made) == 2
    with pytest.raises(AttributeError):
        _ = serve.nothing
    with pytest.raises(AttributeError):
        _ = entry.nothing


def test_no_secret_travels_with_the_deployment():
    from deployments.serve import application

    settings = Settings(server_key="sk-canary-1234", api_keys=f"a:{'b' * 64}:run")
    bound = application(settings, None)
    travelling = bound._bound_deployment.init_args[0]
    assert (travelling.server_key, travelling.api_keys) == (None, None)
