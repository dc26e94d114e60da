"""Named tensors: complete hashes and strict reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from thawline.backbones.weights import read_weights, weights_digest, write_weights

Weights = dict[str, Tensor]


def some() -> Weights:
    return {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}


class TestDigest:
    def test_the_order_and_the_memory_s_layout_say_nothing(self) -> None:
        turned = {"b": torch.ones(2), "a": torch.arange(6.0).reshape(2, 3).T.contiguous().T}
        assert not turned["a"].is_contiguous()
        assert weights_digest(turned) == weights_digest(some())
        assert len(weights_digest(some())) == 64

    @pytest.mark.parametrize(
        "change",
        [
            lambda weights: weights["a"][1, 2].add_(1e-6),
            lambda weights: weights.update(a=weights["a"].reshape(3, 2)),
            lambda weights: weights.update(b=weights["b"].double()),
            lambda weights: weights.update(c=weights.pop("b")),
            lambda weights: weights.update(c=torch.zeros(())),
        ],
        ids=["a value", "a shape", "a dtype", "a name", "one more"],
    )
    def test_every_change_shows(self, change: Callable[[Weights], None]) -> None:
        changed = some()
        change(changed)
        assert weights_digest(changed) != weights_digest(some())


class TestFile:
    def test_tensors_are_read_as_written(self, tmp_path: Path) -> None:
        given = some() | {"turned": torch.arange(6.0).reshape(2, 3).T}
        write_weights(given, tmp_path / "w.safetensors")
        found = read_weights(tmp_path / "w.safetensors", given)
        assert found.keys() == given.keys()
        assert all(torch.equal(found[name], given[name]) for name in given)

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ({"c": torch.ones(1)}, r"w\.safetensors: .*\bc\b"),
            ({"b": torch.ones(3)}, r"w\.safetensors: .*\bb\b.*\(2,\).*\(3,\)"),
            ({"b": None}, r"w\.safetensors: .*\bb$"),
        ],
    )
    def test_other_tensors_are_refused(
        self, tmp_path: Path, wanted: dict[str, Tensor | None], message: str
    ) -> None:
        write_weights(some(), tmp_path / "w.safetensors")
        other = {n: t for n, t in (some() | wanted).items() if t is not None}
        with pytest.raises(ValueError, match=message):
            read_weights(tmp_path / "w.safetensors", other)

    def test_half_a_file_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        write_weights(some(), path)
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(SafetensorError):
            read_weights(path, some())
