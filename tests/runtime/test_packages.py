"""What other packages carry."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import thawline
from thawline.errors import ThawlineError
from thawline.runtime.packages import check_published, package_folder


def test_a_package_s_folder_is_where_its_module_lies():
    assert package_folder("it", "thawline", None) == Path(thawline.__file__).parent


@pytest.mark.parametrize(
    ("extra", "fix"),
    [
        ("glove", 'run pip install "thawline[glove]"'),
        (None, "reinstall the package with pip install --force-reinstall no_such_module"),
    ],
)
def test_a_package_that_is_not_there_is_told_with_how_to_get_it(extra, fix):
    with pytest.raises(ThawlineError) as caught:
        package_folder("own", "no_such_module", extra)
    assert str(caught.value) == (
        f"expected the package that carries 'own', found no module no_such_module; {fix}"
    )


def test_a_file_that_is_not_the_published_one_is_told():
    file = Path("m.npy")
    file.write_bytes(b"published")
    published = hashlib.sha256(b"published").hexdigest()
    check_published("vectors of 'own'", file, published, "own_package")
    file.write_bytes(b"altered")
    found = hashlib.sha256(b"altered").hexdigest()
    with pytest.raises(ThawlineError) as caught:
        check_published("vectors of 'own'", file, published, "own_package")
    assert str(caught.value) == (
        f"expected the published vectors of 'own', found a file m.npy with SHA-256 {found[:12]}…; "
        "reinstall the package with pip install --force-reinstall own_package"
    )
