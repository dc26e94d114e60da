"""Test that a pretrained model of our own is refused if one of its files has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime.checksums import CHECKSUMS, check_written_checksums, write_checksums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors", "README.md"):
        (model / name).write_text(f"the content of {name}")
    write_checksums(model)
    return model


def test_unchanged_files_pass(folder: Path) -> None:
    check_written_checksums(folder)
    (folder / "README.md").write_text("mine")  # the model card is not covered
    check_written_checksums(folder)


def test_a_folder_without_checksums_passes(tmp_path: Path) -> None:
    check_written_checksums(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_changed_or_missing_file_is_named(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ThawlineError) as caught:
        check_written_checksums(folder)
    assert name in caught.value.found
    (folder / name).unlink()
    with pytest.raises(ThawlineError) as caught:
        check_written_checksums(folder)
    assert name in caught.value.found


@pytest.mark.parametrize(
    "values", [[], {}, {"sha256": 5}, {"sha256": {"../x": "0"}}, {"sha256": {"config.json": 1}}]
)
def test_damaged_checksums_are_an_error(folder: Path, values: object) -> None:
    (folder / CHECKSUMS).write_text(json.dumps(values))
    with pytest.raises(ThawlineError) as caught:
        check_written_checksums(folder)
    assert CHECKSUMS in caught.value.expected
