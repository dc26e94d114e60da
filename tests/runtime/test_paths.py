from __future__ import annotations

from pathlib import Path

import pytest

from thawline.errors import ThawlineError
from thawline.runtime.paths import expand


def test_the_home_directory_is_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert expand("~/run") == Path("/home/someone/run")
    assert expand(Path("a/~")) == Path("a/~")


@pytest.mark.parametrize("path", [None, 3, "~no-such-user/run"])
def test_something_else_than_a_path_is_refused(path):
    with pytest.raises(ThawlineError):
        expand(path)
