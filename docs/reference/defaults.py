"""An extension of griffe: a default that is named in `config/` is shown as the value there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import griffe


class Defaults(griffe.Extension):
    """Replace ``lr: float | None = TrainingConfig.lr`` by ``lr: float | None = None``."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Go through the signatures once the whole package is read."""
        named = {
            f"{kind.name}.{name}": attribute.value
            for module in pkg["config"].modules.values()
            for kind in module.classes.values()
            for name, attribute in kind.attributes.items()
        }
        for parameter in _parameters(pkg):
            parameter.default = named.get(str(parameter.default), parameter.default)


def _parameters(place: griffe.Module | griffe.Class) -> Iterator[griffe.Parameter]:
    for member in place.members.values():
        if isinstance(member, griffe.Function):
            yield from member.parameters
        elif isinstance(member, griffe.Module | griffe.Class):
            yield from _parameters(member)
