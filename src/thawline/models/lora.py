"""Low-rank adapters above the thaw line, by peft, on the backbone alone: the head is ours.

Hu et al., 2021, arXiv 2106.09685. The whole backbone is adapted by its own module names, so an
adapter that is trained above the line loads into the whole model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig, PeftModel
from torch import nn
from transformers import PreTrainedModel

from thawline.backbones.adapters import base_digest, put_adapters, read_adapters
from thawline.backbones.loading import Backbone
from thawline.backbones.stack import Stack
from thawline.errors import ThawlineError, did_you_mean
from thawline.strategies import Lora, Strategy


@dataclass(frozen=True)
class Adapter:
    """Adapters within a backbone, and which backbone they belong to.

    Attributes:
        peft: peft's view of the adapted backbone.
        base: the backbone's name.
    """

    peft: PeftModel
    base: str

    def base_digest(self) -> str:
        """Return the `base_digest` of the backbone below them."""
        return base_digest(self.peft.get_base_model())

    def save(self, folder: Path) -> None:
        """Write the adapters as peft does; plain peft loads them onto the base model."""
        # The vocabulary never changes here, and "auto" would ask the hub whether it did.
        self.peft.save_pretrained(str(folder), save_embedding_layers=False)
        # An empty form, but for the path on this machine that the base was read from.
        (folder / "README.md").unlink()

    def merge(self) -> None:
        """Fold the adapters into the backbone's weights, in place."""
        self.peft.merge_and_unload()


def thaw(model: PreTrainedModel, strategy: Strategy, backbone: Backbone) -> Adapter | None:
    """Freeze a whole classifier but for its head and what its strategy trains.

    Args:
        model: made from the backbone.
        strategy: says where the line is and whether adapters train above it.
        backbone: what the model was made from.

    Returns:
        The adapters that the backbone got; None where its own weights train.

    Raises:
        ThawlineError: as `add_adapters`.
    """
    stack = Stack(model.base_model)
    if strategy.adapters is None:
        stack.freeze(strategy.line(stack.depth))
        return None
    stack.freeze(stack.depth + 1)
    return add_adapters(stack, strategy.adapters, backbone.name)


def add_adapters(stack: Stack, lora: Lora, base: str) -> Adapter:
    """Put adapters into the blocks ``from`` … L of a backbone, and freeze all else in it.

    At first they add nothing: one factor of each is drawn from torch's random state, the other
    is 0.

    Args:
        stack: its model gets the adapters within it.
        lora: rank, alpha, dropout, targets and the first block.
        base: the backbone's name, for whoever reads the adapters' config.

    Raises:
        ThawlineError: a target that is no linear layer of these blocks, or one that is not called.
    """
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target_paths(stack, lora),
    )
    return Adapter(put_adapters(stack.model, config, base), base)


def load_adapters(stack: Stack, folder: Path, base: str) -> Adapter:
    """Put the adapters that `Adapter.save` wrote into a backbone like theirs.

    Args:
        stack: its model gets the adapters within it.
        folder: theirs.
        base: the backbone's name.

    Raises:
        ValueError, OSError, SafetensorError: as `read_adapters`.
    """
    return Adapter(read_adapters(stack.model, folder, base), base)


def target_paths(stack: Stack, lora: Lora) -> list[str]:
    """Return the full names of the linear layers that get an adapter.

    Raises:
        ThawlineError: as `add_adapters`.
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
            every = _linear_paths(stack, stack.depth - 1)
            known = dict.fromkeys(path.rpartition(".")[2] for path in every)
            within = target.rpartition(".")[2] in stack.family.fused
            raise ThawlineError(
                f"a linear layer in the blocks ({', '.join(known)})",
                f"'{target}', whose weights attention reads itself" if within else f"'{target}'",
                f"choose from {', '.join(known)}" if within else did_you_mean(target, known),
            )
        paths += found
    return list(dict.fromkeys(paths))


def _linear_paths(stack: Stack, block: int) -> list[str]:
    """Return the names within a block of the linear layers that it calls, adapted or not."""
    modules = stack.blocks[block].named_modules()
    paths = [path for path, module in modules if isinstance(module, nn.Linear)]
    plain = [path.removesuffix(".base_layer") for path in paths if ".lora_" not in path]
    return [path for path in plain if path.rpartition(".")[2] not in stack.family.fused]
