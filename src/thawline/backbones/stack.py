"""A backbone as a row of stages, and the cut at the thaw line.

Stage 0 is the embeddings, stages 1 … L are the blocks; a final norm and BERT's pretrained pooler
belong to stage L. This is the only module that knows where a family keeps them.

The cut leaves the model whole: blocks before the line become pass-throughs and the stored states
enter at the block of the line, so that masks, rotary tables, layer types and parameter names
stay the model's own.

Shape legend: batch = texts, tokens = padded length, stages = L + 1, hidden = the backbone's width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.pooling import pool_all
from thawline.data.tokens import Inputs
from thawline.errors import ThawlineError


@dataclass(frozen=True)
class Family:
    """Where one family of transformers keeps its parts, as paths inside the base model.

    Attributes:
        embeddings: the modules of stage 0.
        blocks: the `nn.ModuleList` of blocks.
        final: modules after the last block; they belong to stage L. Absent ones are passed over.
        query: the name of the query projection in each block, what LoRA adapts unless told; other
            linear layers, joined by +, where a block has no such projection of its own.
        attention_dropout: the name of the config's setting.
        causal: whether a token sees only itself and those before it.
        token_types: whether the model tells the two texts of a pair apart by ``token_type_ids``.
        sees_all: whether every token of every block sees all real tokens, which is what
            `attention.attend` computes.
        native_pooling: what the family's own classification head reads from the last stage.
        fused: the names of linear layers in each block that are never called, since attention
            reads their weights itself: an adapter in their place would do nothing.
        still: from a config to the modules that never train, wherever the line is.
    """

    embeddings: tuple[str, ...]
    blocks: str
    final: tuple[str, ...] = ()
    query: str = "query"
    attention_dropout: str = "attention_dropout"
    causal: bool = False
    token_types: bool = False
    sees_all: bool = False
    native_pooling: Callable[[Any], str] = lambda config: "first"
    fused: tuple[str, ...] = ()
    still: Callable[[Any], tuple[str, ...]] = lambda config: ()


_BERT = Family(
    ("embeddings",),
    "encoder.layer",
    final=("pooler",),
    attention_dropout="attention_probs_dropout_prob",
    sees_all=True,
)
_DECODER = Family(
    ("embed_tokens",),
    "layers",
    final=("norm",),
    query="q_proj",
    causal=True,
    native_pooling=lambda config: "last",
)

FAMILIES: dict[str, Family] = {
    "bert": replace(_BERT, token_types=True),
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "distilbert": Family(("embeddings",), "transformer.layer", query="q_lin", sees_all=True),
    "modernbert": Family(
        ("embeddings",),
        "layers",
        final=("final_norm",),
        query="Wqkv",
        native_pooling=lambda config: "mean" if config.classifier_pooling == "mean" else "first",
    ),
    "qwen3": _DECODER,
    "llama": _DECODER,
    "thawline-glove": Family(
        ("embeddings",),
        "encoder.layers",
        final=("encoder.norm",),
        query="linear1+linear2",
        native_pooling=lambda config: "mean",
        fused=("out_proj",),
        still=lambda config: ("embeddings.words",) if config.freeze_vectors else (),
    ),
}


def register_family(model_type: str, family: Family) -> None:
    """Teach Thawline another family; ``model_type`` is the one in the model's ``config.json``."""
    FAMILIES[model_type] = family


def family_of(config: Any) -> Family:
    """Return the family of a model's config.

    Raises:
        ThawlineError: the family is not known.
    """
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ThawlineError(
            f"a backbone of a known family ({', '.join(sorted(FAMILIES))})",
            f"model type '{config.model_type}'",
            "call thawline.backbones.register_family with the paths of its embeddings, its list "
            "of blocks and its final norm",
        )
    return family


class _PassThrough(nn.Module):
    """Stands in for a frozen block while its states come from elsewhere."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        # ModernBERT and Qwen3 look up each block's mask by this name.
        if hasattr(block, "attention_type"):
            self.attention_type = block.attention_type

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden_states


class _Reached(Exception):
    """Stops a forward pass at the thaw line, carrying the states that arrived there."""

    def __init__(self, states: Tensor) -> None:
        self.states = states


class Stack:
    """A base model (`AutoModel`) seen as a row of stages."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.family = family_of(model.config)
        blocks = model.get_submodule(self.family.blocks)
        assert isinstance(blocks, nn.ModuleList)
        self.blocks = blocks
        self.depth = len(self.blocks)
        if self.depth == 0:
            fix = "use one whose config.json counts its blocks"
            raise ThawlineError("a backbone of at least one block", "one of none", fix)
        self.hidden_size: int = model.config.hidden_size

    def sharing_weights(self) -> Stack:
        """Return a stack of its own modules on the same parameters, for another thread's hooks."""
        shared = {id(tensor): tensor for tensor in self.model.state_dict(keep_vars=True).values()}
        return Stack(copy.deepcopy(self.model, shared))

    def modules_of(self, stage: int) -> list[nn.Module]:
        """Return the modules of one stage, 0 … L."""
        paths = self.family.embeddings if stage == 0 else ()
        if stage == self.depth:
            paths = (*paths, *self.family.final)
        found = [self._submodule(path) for path in paths]
        blocks = [self.blocks[stage - 1]] if stage > 0 else []
        return blocks + [module for module in found if module is not None]

    def _submodule(self, path: str) -> nn.Module | None:
        try:
            # A path may hold None: a BERT built without its pooler.
            found: nn.Module = self.model.get_submodule(path)
        except AttributeError:
            return None
        return found

    def check_line(self, line: int) -> None:
        """Raise ValueError unless ``0 <= line <= L + 1``."""
        if not 0 <= line <= self.depth + 1:
            raise ValueError(f"line {line} is not within 0 and {self.depth + 1}")

    def freeze(self, line: int) -> None:
        """Freeze the stages before the line, in evaluation mode; thaw the others.

        What the family keeps `still` stays frozen above the line too.
        """
        self.check_line(line)
        for stage in range(self.depth + 1):
            for module in self.modules_of(stage):
                module.requires_grad_(stage >= line)
                module.train(stage >= line)
        for path in self.family.still(self.model.config):
            self.model.get_submodule(path).requires_grad_(False)

    def forward(self, inputs: Inputs) -> Tensor:
        """Run the whole backbone: ``(batch, tokens)`` ids to ``(batch, tokens, hidden)`` states."""
        cache = {"use_cache": False} if self.family.causal else {}
        output: Tensor = self.model(**inputs, **cache)[0]
        return output

    def prefix(self, line: int, inputs: Inputs) -> Tensor:
        """Return the states that reach the line 1 … L + 1, ``(batch, tokens, hidden)``."""
        if not 1 <= line <= self.depth + 1:
            raise ValueError(f"no states reach line {line}, only 1 … {self.depth + 1}")
        if line == self.depth + 1:
            return self.forward(inputs)

        def stop(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            raise _Reached(_hidden_states(args, kwargs))

        handle = self.blocks[line - 1].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.forward(inputs)
        except _Reached as reached:
            return reached.states
        finally:
            handle.remove()
        raise RuntimeError("the backbone never ran the block of the line")

    def suffix(self, line: int, states: Tensor, inputs: Inputs) -> Tensor:
        """Go on from stored states at the line (1 … L) to the last stage.

        Args:
            line: the thaw line the states were taken at.
            states: ``(batch, tokens, hidden)``, finite at padded places too.
            inputs: of the same texts, for masks and positions only.

        Returns:
            ``(batch, tokens, hidden)``, equal to the whole model's to the bit.
        """
        with self.cut(line) as enter:
            enter(states)
            return self.forward(inputs)

    @contextmanager
    def cut(self, line: int) -> Iterator[Callable[[Tensor], None]]:
        """Skip the blocks before the line; what is handed to the yielded function enters there."""
        if not 1 <= line <= self.depth:
            raise ValueError(f"a cut needs a line within 1 and {self.depth}, not {line}")
        entering: list[Tensor] = []

        def inject(
            block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if args:
                return (entering[-1], *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": entering[-1]}

        skipped = list(self.blocks[: line - 1])
        handle = self.blocks[line - 1].register_forward_pre_hook(inject, with_kwargs=True)
        for index, block in enumerate(skipped):
            self.blocks[index] = _PassThrough(block)
        try:
            yield entering.append
        finally:
            handle.remove()
            for index, block in enumerate(skipped):
                self.blocks[index] = block

    def stage_states(self, inputs: Inputs, visit: Callable[[int, Tensor], None]) -> None:
        """Run the whole backbone once, handing each stage's states to ``visit(stage, states)``.

        The states of stage L are those after the final norm. Nothing is kept here, so a visitor
        that pools leaves no more than one stage's token states in memory.
        """

        def before_first(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            visit(0, _hidden_states(args, kwargs))

        def after(stage: int) -> Callable[..., None]:
            return lambda block, args, output: visit(
                stage, output[0] if isinstance(output, tuple) else output
            )

        handles = [self.blocks[0].register_forward_pre_hook(before_first, with_kwargs=True)]
        handles += [
            block.register_forward_hook(after(stage))
            for stage, block in enumerate(self.blocks[:-1], start=1)
        ]
        try:
            visit(self.depth, self.forward(inputs))
        finally:
            for handle in handles:
                handle.remove()

    def pooled(self, inputs: Inputs) -> Tensor:
        """Return every pooling of every stage, ``(batch, stages, 3, hidden)``."""
        pooled: dict[int, Tensor] = {}
        mask = inputs.get("attention_mask")
        self.stage_states(
            inputs, lambda stage, states: pooled.update({stage: pool_all(states, mask)})
        )
        return torch.stack([pooled[stage] for stage in range(self.depth + 1)], dim=1)


def _hidden_states(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    states: Tensor = args[0] if args else kwargs["hidden_states"]
    return states
