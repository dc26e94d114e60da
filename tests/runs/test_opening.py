"""Test that a run from a stranger is not resumed if its folder leads elsewhere."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from thawline.config import Config
from thawline.errors import ThawlineError
from thawline.runs.folder import same_settings
from thawline.runs.opening import OpenRun
from thawline.runtime.progress import Reporter

RUN, OTHER = Path("run"), Path("other")


@pytest.fixture(autouse=True)
def _folders() -> None:
    for folder in (RUN, RUN / "checkpoints", OTHER):
        folder.mkdir()
    (RUN / "config.toml").write_text("", encoding="utf-8")
    (OTHER / "000000001.safetensors").write_bytes(b"")


def resume() -> ThawlineError:
    with ExitStack() as stack, pytest.raises(ThawlineError) as caught:
        OpenRun(RUN, "fit", Config(), Reporter(), stack).resume()
    return caught.value


@pytest.mark.parametrize("name", ["checkpoints", "model", "plots"])
def test_a_link_to_a_folder_is_refused(name):
    if (RUN / name).is_dir():
        (RUN / name).rmdir()
    (RUN / name).symlink_to(OTHER.absolute())
    assert name in resume().found


def test_a_link_in_the_folder_of_the_checkpoints_is_refused():
    name = "000000001.safetensors"
    (RUN / "checkpoints" / name).symlink_to(OTHER.absolute() / name)
    assert name in resume().found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["checkpoints/000000001.safetensors", "record.json", ".lock"])
def test_a_named_pipe_is_refused(name):
    os.mkfifo(RUN / name)
    assert name in resume().found


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device")
def test_a_link_to_a_device_is_refused():
    (RUN / "record.json").symlink_to("/dev/zero")
    assert "record.json" in resume().found


@pytest.mark.parametrize("content", [".".join(["a"] * 10_000) + "=1", "#" * 2**21])
def test_a_hostile_config_has_other_settings(content):
    (RUN / "config.toml").write_text(content, encoding="utf-8")
    assert not same_settings(RUN / "config.toml", {"seed": 0})
