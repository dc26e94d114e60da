"""Training does not depend on the mode of the calling code."""

from __future__ import annotations

import pytest
import torch

from thawline.errors import ThawlineError
from thawline.runtime.autograd import training_mode


@pytest.mark.parametrize(
    "mode", [torch.no_grad(), torch.inference_mode(), torch.autocast("cpu", torch.bfloat16)]
)
def test_gradients_are_computed_in_every_mode(mode) -> None:
    with mode, training_mode():
        weight = torch.ones(2, 2, requires_grad=True)
        product = torch.ones(2, 2) @ weight
        product.sum().backward()
    assert product.dtype == torch.float32
    assert weight.grad is not None
    assert weight.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_another_default_dtype_is_refused() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ThawlineError) as caught, training_mode():
            pass
    finally:
        torch.set_default_dtype(torch.float32)
    assert "torch.float64" in caught.value.found
