"""The public names, their signatures and fields are frozen in ``public_api.txt``.

``python -m tests.test_public_api`` (``make api-update``) rewrites that file. A diff in it is a
change of the public interface: review it, and write an entry in CHANGELOG.md.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import thawline

FILE = Path(__file__).with_name("public_api.txt")
ROOT = Path(__file__).parents[1]


def describe() -> str:
    """Return a line for each public name, method and field, sorted."""
    lines = [line for name in sorted(thawline.__all__) for line in _lines(name)]
    return "".join(f"{line}\n" for line in lines)


def _lines(name: str) -> Iterator[str]:
    value = getattr(thawline, name)
    if not callable(value):
        yield name
        return
    if hasattr(value, "model_fields"):  # a record: its fields, never made by hand
        yield f"{name}: {', '.join(value.model_fields)}"
        return
    yield f"{name}{_signature(value)}"
    if inspect.isclass(value) and not issubclass(value, BaseException):
        own = [kind for kind in value.__mro__ if kind.__module__.startswith("thawline.")]
        members = {key: member for kind in reversed(own) for key, member in vars(kind).items()}
        for key, member in sorted(members.items()):
            function = member.__func__ if isinstance(member, classmethod) else member
            if not key.startswith("_") and inspect.isfunction(function):
                yield f"{name}.{key}{_signature(function)}"
            elif not key.startswith("_") and isinstance(member, property):
                yield f"{name}.{key}"


def _signature(value: Any) -> str:
    """Return a signature without annotations; ``...`` stands for a default that is computed."""
    signature = inspect.signature(value)
    parameters = [
        parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()
    ]
    shown = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    return re.sub(r"<factory>|<function .*? at 0x[0-9a-f]+>", "...", shown)


def test_the_public_interface_is_the_frozen_one():
    assert describe() == FILE.read_text(encoding="utf-8"), "review, then run `make api-update`"


def test_every_name_can_be_imported_and_is_listed():
    assert dir(thawline) == sorted(thawline.__all__)
    assert all(hasattr(thawline, name) for name in thawline.__all__)


def test_every_public_name_has_a_docstring_and_a_place_in_the_reference():
    page = (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8")
    for name in thawline.__all__:
        if name != "__version__":
            assert inspect.getdoc(getattr(thawline, name)), name
            assert f"\n::: thawline.{name}\n" in page, f"the reference lacks {name}"


def test_pages_and_examples_import_public_names_only():
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*")]
    imports = [
        (file.name, line)
        for file in files
        if file.suffix in (".md", ".py", ".ipynb")
        for line in re.findall(
            r"^\s*(?:from|import) thawline.*$", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert len(imports) >= 10
    names = re.compile(r"\s*(?:import thawline|from thawline import \(?([\w, ]*)\)?)$")
    for file, line in imports:
        found = names.match(line)
        assert found, f"{file}: {line}"
        imported = {name.strip() for name in (found[1] or "").split(",")} - {""}
        assert imported <= set(thawline.__all__), f"{file}: {line}"


if __name__ == "__main__":
    FILE.write_text(describe(), encoding="utf-8")
