"""Import torch and transformers in less time, in the processes of the command line.

Importing torch and the modelling code of transformers creates hundreds of thousands of objects that
live until the process ends. By default, the cyclic garbage collector inspects them again and again
during the imports, and once more when the process ends. Besides, transformers reads the more than
1,000 files of its models to find their names, and does so twice.

`import thawline` leaves the collector and transformers as they are.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import wrapt

MODELLING = "transformers.modeling_utils"
"""The module that every model of transformers needs."""

STRUCTURES, READ_STRUCTURE = "transformers.utils.import_utils", "create_import_structure_from_path"
"""The function of transformers that reads the names in the modules of a folder."""


@contextmanager
def quick_imports() -> Iterator[None]:
    """Speed up the imports of large packages inside the ``with`` block.

    The garbage collector pauses, and transformers reads the names of its models once. At the end,
    all existing objects are excluded from later collections, including the one that Python runs
    when the process ends. If the modelling code of transformers is already imported, nothing
    happens.
    """
    if MODELLING in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    wrapt.register_post_import_hook(_read_structures_once, STRUCTURES)
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _read_structures_once(module: ModuleType) -> None:
    """Let transformers remember the names in the modules of each folder.

    Args:
        module: The module `STRUCTURES`. It is left as it is if it has no `READ_STRUCTURE`.
    """
    read: Callable[[Any], Any] | None = getattr(module, READ_STRUCTURE, None)
    if read is None:
        return
    known: dict[str, Any] = {}

    def read_once(path: str | os.PathLike[str]) -> Any:
        folder = os.path.dirname(path) if os.path.isfile(path) else os.fspath(path)
        if folder not in known:
            known[folder] = read(folder)
        return known[folder]

    setattr(module, READ_STRUCTURE, read_once)
