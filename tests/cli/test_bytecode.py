"""A bytecode cache where the environment forbids Python's own."""

import os
import subprocess
import sys

import pytest

CODE = "from cli.bytecode import keep_bytecode; import sys; keep_bytecode(); print(sys.pycache_prefix)"


def prefix(home, **env):
    full = {**os.environ, "AI3_HOME": str(home), "PYTHONPYCACHEPREFIX": "", **env}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=full, timeout=30)
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_cache_is_in_the_home_and_private(tmp_path):
    home = tmp_path / "home"
    assert prefix(home, PYTHONDONTWRITEBYTECODE="1") == str(home / "pycache")
    assert [(home / name).stat().st_mode & 0o777 for name in ("", "pycache")] == [0o700, 0o700]


def test_pythons_own_cache_is_left_alone(tmp_path):
    assert prefix(tmp_path / "home", PYTHONDONTWRITEBYTECODE="") == "None"
    assert not (tmp_path / "home").exists()


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path):
    (tmp_path / "pycache").mkdir()
    (tmp_path / "pycache").chmod(0o777)
    assert prefix(tmp_path, PYTHONDONTWRITEBYTECODE="1") == "None"


@pytest.mark.parametrize("home", ["/dev/null/home", "/proc/home"])
def test_a_home_that_cannot_be_written_is_no_error(home):
    assert prefix(home, PYTHONDONTWRITEBYTECODE="1") == "None"
