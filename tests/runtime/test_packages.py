"""Test how files of other packages are found and checked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import thawline
from thawline.errors import ThawlineError
from thawline.runtime.packages import check_published, package_folder


def test_package_folder_is_where_the_module_is():
    assert package_folder("it", "thawline", None) == Path(thawline.__file__).parent


@pytest.mark.parametrize(
    ("extra", "command"),
    [
        ("glove", 'pip install "thawline[glove]"'),
        (None, "pip install --force-reinstall no_such_module"),
    ],
)
def test_missing_package_is_an_error(extra, command):
    with pytest.raises(ThawlineError) as caught:
        package_folder("own", "no_such_module", extra)
    error = caught.value
    assert "'own'" in error.expected
    assert "no_such_module" in error.found
    assert command in error.fix


def test_changed_file_is_an_error():
    file = Path("m.npy")
    file.write_bytes(b"published")
    published = hashlib.sha256(b"published").hexdigest()
    check_published("vectors of 'own'", file, published, "own_package")
    file.write_bytes(b"altered")
    altered = hashlib.sha256(b"altered").hexdigest()
    with pytest.raises(ThawlineError) as caught:
        check_published("vectors of 'own'", file, published, "own_package")
    error = caught.value
    assert "vectors of 'own'" in error.expected
    assert published[:12] in error.expected
    assert "m.npy" in error.found
    assert altered[:12] in error.found
    assert "pip install --force-reinstall own_package" in error.fix
