"""Train independently of what the calling code set in torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from thawline.errors import ThawlineError


@contextmanager
def training_mode() -> Iterator[None]:
    """Enable gradients and disable autocast, whatever mode the calling code is in.

    Raises:
        ThawlineError: If torch's default dtype is not float32. It is not changed here, because it
            belongs to the whole process.
    """
    dtype = torch.get_default_dtype()
    if dtype != torch.float32:
        raise ThawlineError(
            "float32 as the default dtype of torch during training",
            f"'{dtype}'",
            "call torch.set_default_dtype(torch.float32) before fit",
        )
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
    ):
        yield
