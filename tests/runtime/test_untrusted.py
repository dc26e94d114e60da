"""Test that files from strangers are checked before they are read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime.untrusted import (
    MAX_JSON_DEPTH,
    check_regular,
    open_regular,
    parse_json,
    read_json,
    read_regular,
)


def _pipe() -> Path:
    os.mkfifo("pipe")
    return Path("pipe")


@pytest.mark.parametrize("read", [open_regular, check_regular, read_json])
def test_only_regular_files_are_read(read):
    for path in (_pipe(), Path("/dev/zero"), Path()):
        with pytest.raises(ThawlineError) as raised:
            read(path)
        assert str(path) in raised.value.found


def test_link_to_a_regular_file_is_followed():
    Path("file").write_bytes(b"abc")
    Path("link").symlink_to("file")
    with open_regular(Path("link")) as file:
        assert file.read() == b"abc"


def test_link_must_stay_inside_the_folder():
    Path("folder").mkdir()
    Path("folder/file").write_bytes(b"abc")
    Path("folder/link").symlink_to("file")
    assert check_regular(Path("folder/link"), inside=Path("folder")) == 3
    Path("outside").touch()
    Path("folder/out").symlink_to("../outside")
    with pytest.raises(ThawlineError) as raised:
        check_regular(Path("folder/out"), inside=Path("folder"))
    assert "outside" in raised.value.found


def test_size_is_limited():
    Path("file").write_bytes(bytes(11))
    assert len(read_regular(Path("file"), limit=11)) == 11
    for read in (check_regular, read_regular):
        with pytest.raises(ThawlineError) as raised:
            read(Path("file"), limit=10)
        assert "10" in raised.value.expected


def test_json_may_have_a_byte_order_mark():
    Path("file").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(Path("file")) == {"a": 1}


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 100_000])
@pytest.mark.parametrize("brackets", ["[]", ['{"a":', "}"]])
def test_deeply_nested_json_is_refused(depth, brackets):
    opening, closing = brackets
    value = "1" if opening != "[" else ""
    with pytest.raises(ValueError, match=str(MAX_JSON_DEPTH)):
        parse_json(opening * depth + value + closing * depth)


def test_json_of_usual_depth_is_read():
    assert parse_json(json.dumps([[[{"a": [1]}]]])) == [[[{"a": [1]}]]]
    assert parse_json("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH) is not None


@pytest.mark.parametrize("content", [b"{", b"\xff", b""])
def test_damaged_json_names_the_file(content):
    Path("file.json").write_bytes(content)
    with pytest.raises(ThawlineError) as raised:
        read_json(Path("file.json"))
    assert "file.json" in raised.value.expected
