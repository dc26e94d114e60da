"""An extension of griffe that shows the values of defaults which are defined in `config/`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import griffe


class Defaults(griffe.Extension):
    """Show ``lr: float | None = TrainingConfig.lr`` as ``lr: float | None = None``."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Replace the defaults in all signatures of a package after griffe has loaded it."""
        values = {
            f"{kind.name}.{name}": attribute.value
            for module in pkg["config"].modules.values()
            for kind in module.classes.values()
            for name, attribute in kind.attributes.items()
        }
        for parameter in _parameters(pkg):
            parameter.default = values.get(str(parameter.default), parameter.default)


def _parameters(parent: griffe.Module | griffe.Class) -> Iterator[griffe.Parameter]:
    for member in parent.members.values():
        if isinstance(member, griffe.Function):
            yield from member.parameters
        elif isinstance(member, griffe.Module | griffe.Class):
            yield from _parameters(member)
