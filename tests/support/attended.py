"""Record the precision in which attention is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Attended(TorchDispatchMode):
    """A context manager that records the dtype of the queries of each attention kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.dtypes: list[torch.dtype] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if "scaled_dot_product" in str(func) and "backward" not in str(func):
            self.dtypes.append(args[0].dtype)
        return func(*args, **kwargs or {})
