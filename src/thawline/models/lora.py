"""Low-rank adapters above the thaw line (Hu et al., 2021, arXiv 2106.09685), made with peft.

Only the backbone gets adapters, because the head trains directly. The adapters have the module
names of the complete backbone, so plain peft can load them into the complete base model.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from thawline.backbones.adapter_config import CONFIG, linear_sizes
from thawline.backbones.adapters import base_digest, insert_adapters, read_adapters
from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.errors import ThawlineError, did_you_mean
from thawline.strategies import BitFit, Lora, Strategy

if TYPE_CHECKING:
    from peft import PeftModel


@dataclass(frozen=True)
class Adapter:
    """The adapters in a backbone.

    Attributes:
        peft: The peft model that wraps the adapted backbone.
        base: The name of the backbone.
    """

    peft: PeftModel
    base: str

    def base_digest(self) -> str:
        """Return the `backbones.adapters.base_digest` of the backbone."""
        return base_digest(self.peft.get_base_model())

    def save(self, folder: Path) -> None:
        """Write the adapters in peft's format, so that plain peft can load them.

        Args:
            folder: The folder to write to.
        """
        # The vocabulary never changes, and the default "auto" would ask the hub whether it did.
        self.peft.save_pretrained(str(folder), save_embedding_layers=False)
        # peft's README is an empty template that contains the local path of the base.
        (folder / "README.md").unlink()
        _sort_targets(folder / CONFIG)

    def merge(self) -> None:
        """Merge the adapters into the backbone's weights in place."""
        self.peft.merge_and_unload()


def thaw(model: PreTrainedModel, strategy: Strategy, backbone: Backbone) -> Adapter | None:
    """Freeze a classifier except for its head and the parts that its strategy trains.

    Args:
        model: A classifier that was built from the backbone. It is changed in place.
        strategy: The strategy, which sets the thaw line and the adapters.
        backbone: The backbone that the classifier was built from.

    Returns:
        The new adapters. None if the strategy trains the backbone's own weights.

    Raises:
        ThawlineError: If a target of the adapters is not a linear layer of the blocks.
    """
    stack = Stack(model.base_model)
    if strategy.adapters is None:
        stack.freeze(strategy.line(stack.depth))
        if isinstance(strategy.last, BitFit):
            stack.freeze_all_but_biases()
        return None
    stack.freeze(stack.depth + 1)
    return add_adapters(stack, strategy.adapters, backbone.name)


def add_adapters(stack: Stack, lora: Lora, base: str) -> Adapter:
    """Insert adapters into the blocks ``from`` … L of a backbone and freeze everything else in it.

    An adapter of rank r adds ``B A`` to the weight of a linear layer, with A ``(r, in)`` and
    B ``(out, r)``, so it has ``r * (in + out)`` parameters, and with DoRA the ``out`` magnitudes of
    the rows. A is initialised from torch's random state and B with zeros, so the adapters change
    nothing before training.

    Args:
        stack: The backbone, whose model is changed in place.
        lora: Rank, alpha, dropout, targets, the first block and the variant.
        base: The backbone's name, which is written to the adapters' config.

    Raises:
        ThawlineError: If a target is not a linear layer that these blocks call, or if the rank is
            above the sizes of a target.
    """
    from peft import LoraConfig

    paths = target_paths(stack, lora)
    _check_rank(stack, lora.r, paths)
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=paths,
        use_dora=lora.dora,
        use_rslora=lora.rslora,
    )
    return Adapter(insert_adapters(stack.model, config, base), base)


def load_adapters(stack: Stack, folder: Path, base: str) -> Adapter:
    """Load adapters, which `Adapter.save` has written, into a matching backbone.

    Args:
        stack: The backbone, whose model is changed in place.
        folder: The folder of the adapters.
        base: The backbone's name, which is written to the adapters' config.

    Raises:
        ThawlineError: If the config is invalid, or does not fit the backbone or the weights.
        ValueError: If a weight is missing or unexpected.
        OSError: If the file of weights is missing.
        SafetensorError: If the file of weights is damaged.
    """
    return Adapter(read_adapters(stack.model, folder, base), base)


def target_paths(stack: Stack, lora: Lora) -> list[str]:
    """Return the names of the linear layers that get an adapter, as paths in the base model.

    Args:
        stack: The backbone.
        lora: The targets and the first block.

    Raises:
        ThawlineError: If a target is not a linear layer that these blocks call.
    """
    wanted = (stack.family.query if lora.targets is None else lora.targets).split("+")
    paths: list[str] = []
    for target in wanted:
        found = [
            f"{stack.family.blocks}.{index}.{path}"
            for index in range(lora.from_ - 1, stack.depth)
            for path in _linear_paths(stack, index)
            if f".{path}".endswith(f".{target}")
        ]
        if not found:
            raise _unknown_target(stack, target)
        paths += found
    return list(dict.fromkeys(paths))


def _check_rank(stack: Stack, r: int, paths: list[str]) -> None:
    for path in paths:
        sizes = linear_sizes(stack.model.get_submodule(path))
        assert sizes is not None, "targets are linear layers"
        limit = max(sizes)
        if r > limit:
            raise ThawlineError(
                f"a rank of at most {limit}, the size of the layer {path}",
                str(r),
                "use a smaller rank, for example lora:r=4",
                setting="strategy",
            )


def _sort_targets(file: Path) -> None:
    """Sort the targets in peft's config, whose order is random, so that files are repeatable."""
    values = json.loads(file.read_text(encoding="utf-8"))
    values["target_modules"].sort()
    file.write_text(json.dumps(values, indent=2, sort_keys=True), encoding="utf-8")


def _unknown_target(stack: Stack, target: str) -> ThawlineError:
    paths = _linear_paths(stack, stack.depth - 1)
    known = dict.fromkeys(path.rpartition(".")[2] for path in paths)
    if not known:
        return ThawlineError(
            "a backbone whose blocks have linear layers, because adapters need them",
            f"blocks of the type '{stack.model.config.model_type}' without any",
            "use `strategy=last:1` or `strategy=full`",
            setting="strategy",
        )
    found, fix = f"'{target}'", did_you_mean(target, known)
    if target.rpartition(".")[2] in stack.family.fused:
        found += ", a layer that attention never calls, so an adapter in it would have no effect"
        fix = f"choose from {', '.join(known)}"
    expected = f"a linear layer in the blocks of the backbone ({', '.join(known)})"
    return ThawlineError(expected, found, fix, setting="strategy")


def _linear_paths(stack: Stack, block: int) -> list[str]:
    """Return the names of the linear layers that a block calls, with or without adapters."""
    modules = stack.blocks[block].named_modules()
    paths = [path for path, module in modules if linear_sizes(module) is not None]
    plain = [path.removesuffix(".base_layer") for path in paths if ".lora_" not in path]
    return [path for path in plain if path.rpartition(".")[2] not in stack.family.fused]
