"""The demo's directory: one user at a time, one world that stays the same."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clawback.demo.build import build_world, main
from clawback.demo.scene import Memory, Scene, SceneError

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_world_is_remembered_and_private(tmp_path: Path) -> None:
    """What was made is recalled as it was, from a file that only its owner may read."""
    scene = Scene(tmp_path)
    memory = Memory(7, 300, NOW, "token")
    assert scene.recall() is None
    build_world(scene, memory)
    assert scene.recall() == memory
    assert "token" not in repr(memory)
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    assert json.loads(scene.world.read_text().splitlines()[0])["CampaignId"] == "1000"


def test_an_interrupted_world_is_made_again(tmp_path: Path) -> None:
    """A half-written memory is none."""
    (tmp_path / "demo.json").write_text('{"seed": 7')
    assert Scene(tmp_path).recall() is None


def test_a_built_world_is_kept(tmp_path: Path) -> None:
    """Building again in the same directory leaves the world as it is."""
    main(str(tmp_path))
    before = (tmp_path / "demo.json").read_text()
    main(str(tmp_path))
    assert (tmp_path / "demo.json").read_text() == before


def test_two_demos_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second of two demos is refused with one sentence that says what to do."""
    scene = Scene(tmp_path)
    with scene.held(), pytest.raises(SceneError, match="another demo is running in"), scene.held():
        pytest.fail("held twice")
    with scene.held():
        pass


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A path that is no directory ends with one sentence that names it."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SceneError, match=rf"cannot write to {tmp_path}/file"),
        Scene(tmp_path / "file").held(),
    ):
        pytest.fail("held a file")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names are enough
