"""Where a home's sockets are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai3ray.client.head_paths import RAY_BYTES, SOCKET_BYTES, head_paths, private_folder
from ai3ray.errors import SettingsError


def test_a_short_home_holds_its_own_sockets(short_path):
    paths = head_paths(short_path)
    assert (paths.socket, paths.ray_dir) == (short_path / "head.sock", short_path / "ray")


@pytest.mark.parametrize("length", range(20, 130, 7))
def test_every_home_gets_paths_that_fit(length):
    home = Path("/" + "h" * (length - 1))
    paths = head_paths(home)
    assert len(os.fsencode(paths.socket)) + len(".4194304") <= SOCKET_BYTES
    assert len(os.fsencode(paths.ray_dir)) <= RAY_BYTES
    assert head_paths(home) == paths
    if paths.ray_dir.parent != home:
        paths.ray_dir.parent.rmdir()


def test_ray_gets_a_folder_in_ascii_whatever_the_home_is_called():
    home = Path("/Ä b")
    paths = head_paths(home)
    assert paths.socket == home / "head.sock"
    assert str(paths.ray_dir).isascii()
    paths.ray_dir.parent.rmdir()


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    folder = private_folder(tmp_path)
    try:
        folder.chmod(0o755)
        with pytest.raises(SettingsError, match="not a private folder"):
            private_folder(tmp_path)
        folder.rmdir()
        folder.symlink_to(tmp_path)
        with pytest.raises(SettingsError):
            private_folder(tmp_path)
    finally:
        folder.unlink()
