"""Keep Python's garbage collector from slowing down the start and the end of a command.

Importing torch and the modelling code of transformers creates hundreds of thousands of objects that
live until the process ends. By default, the cyclic garbage collector inspects them again and again
during the imports, and once more when the process ends. Only the processes of the command line
pause it; `import thawline` leaves the collector as it is.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Pause the garbage collector inside the ``with`` block, which imports large packages.

    At the end, all existing objects are excluded from later collections, including the one that
    Python runs when the process ends. If the modelling code of transformers is already imported,
    nothing happens.
    """
    if "transformers.modeling_utils" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
