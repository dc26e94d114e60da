"""A backbone as a row of stages, and the cut at the thaw line.

Stage 0 is the embeddings, stages 1 … L are the blocks; a final norm and BERT's pretrained pooler
belong to stage L. `families.py` knows where each family keeps these modules.

The cut keeps the complete model. A forward pass runs a view of it, which shares all parameters: in
the view the embeddings and the blocks before the line are skipped, and the stored states enter at
the block of the line. So masks, rotary tables, layer types and parameter names stay those of the
model. The model itself is never changed, so that several threads can run it at the same time.

Shapes: batch = texts, tokens = padded length, stages = L + 1, hidden = the backbone's width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from thawline.backbones.families import family_of
from thawline.backbones.pooling import pool_all
from thawline.backbones.views import (
    Reached,
    Run,
    Stage,
    enter,
    for_first_token,
    skip,
    stop,
    visiting,
    with_modules,
)
from thawline.data.tokens import Inputs
from thawline.errors import ThawlineError


class Stack:
    """A base model as a row of stages that can be cut at a thaw line.

    Args:
        model: A base model as `transformers.AutoModel` returns it.

    Attributes:
        model: The base model.
        family: The family of the model.
        blocks: The list of blocks. Block ``i`` is stage ``i + 1``.
        depth: The number of blocks, L.
        hidden_size: The width of the states.

    Raises:
        ThawlineError: If the family is unknown or the model has no blocks.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.family = family_of(model.config)
        blocks = model.get_submodule(self.family.blocks)
        assert isinstance(blocks, nn.ModuleList)
        self.blocks = blocks
        self.depth = len(self.blocks)
        if self.depth == 0:
            fix = "use a backbone whose config.json has a positive number of blocks"
            raise ThawlineError("a backbone with at least one block", "no blocks", fix)
        self.hidden_size: int = model.config.hidden_size

    @property
    def attention_dropout(self) -> str:
        """The name of the config attribute with the dropout of attention weights.

        Raises:
            ThawlineError: If the config has no such attribute.
        """
        name = self.family.attention_dropout
        if not hasattr(self.model.config, name):
            raise ThawlineError(
                "a family that names the config's attribute for the dropout of attention weights",
                f"'{name}', which a config of the type '{self.model.config.model_type}' lacks",
                "register the family with attention_dropout='NAME'",
            )
        return name

    def modules_of(self, stage: int) -> list[nn.Module]:
        """Return the modules of one stage, which is between 0 and L."""
        paths = self.family.embeddings if stage == 0 else ()
        if stage == self.depth:
            paths = (*paths, *self.family.final)
        found = [self._submodule(path) for path in paths]
        blocks = [self.blocks[stage - 1]] if stage > 0 else []
        return blocks + [module for module in found if module is not None]

    def _submodule(self, path: str) -> nn.Module | None:
        try:
            # In a BERT that was built without a pooler, the attribute is None.
            found: nn.Module = self.model.get_submodule(path)
        except AttributeError:
            return None
        return found

    def check_line(self, line: int) -> None:
        """Raise ValueError unless the line is between 0 and L + 1."""
        if not 0 <= line <= self.depth + 1:
            raise ValueError(f"the thaw line must be between 0 and {self.depth + 1}, not {line}")

    def freeze(self, line: int) -> None:
        """Freeze the stages before a thaw line and unfreeze the others.

        Frozen stages are set to evaluation mode and the others to training mode. Modules in the
        family's ``always_frozen`` never train.

        Args:
            line: The thaw line, between 0 and L + 1.

        Raises:
            ValueError: If the line is outside this range.
        """
        self.check_line(line)
        for stage in range(self.depth + 1):
            for module in self.modules_of(stage):
                module.requires_grad_(stage >= line)
                module.train(stage >= line)
        for path in self.family.always_frozen(self.model.config):
            self.model.get_submodule(path).requires_grad_(False)

    def freeze_all_but_biases(self) -> None:
        """Freeze all parameters but the bias terms of the blocks."""
        self.model.requires_grad_(False)
        for parameter in self.biases():
            parameter.requires_grad_(True)

    def biases(self) -> list[nn.Parameter]:
        """Return the bias terms of the blocks, those of norms included."""
        return [
            parameter
            for stage in range(1, self.depth + 1)
            for module in self.modules_of(stage)
            for name, parameter in module.named_parameters()
            if name.endswith("bias")
        ]

    def _view(self, runs: Mapping[int, Run], entering: Tensor | None = None) -> PreTrainedModel:
        """Return a model in which some blocks run differently.

        It shares all parameters and all other modules with this model, which is not changed. So
        any number of threads can use one model at the same time.

        Args:
            runs: By the block's index, a function that runs the block.
            entering: States that replace those of the embeddings, which then do not run. If None,
                the embeddings run.
        """
        stages = list(self.blocks)
        for index, run in runs.items():
            stages[index] = Stage(stages[index], run)
        view = _with_module(self.model, self.family.blocks, nn.ModuleList(stages))
        if entering is not None:
            for path in self.family.embeddings:
                embeddings = Stage(self.model.get_submodule(path), lambda *ignored: entering)
                view = _with_module(view, path, embeddings)
        return view

    def forward(self, inputs: Inputs) -> Tensor:
        """Run the complete backbone.

        Args:
            inputs: Token ids and masks, ``(batch, tokens)`` each.

        Returns:
            The states of the last stage, ``(batch, tokens, hidden)``.
        """
        return self._run(self.model, inputs)

    def _run(self, model: PreTrainedModel, inputs: Inputs) -> Tensor:
        cache = {"use_cache": False} if self.family.causal else {}
        output: Tensor = model(**inputs, **cache)[0]
        return output

    def prefix(
        self, line: int, inputs: Inputs, *, start: int = 1, states: Tensor | None = None
    ) -> Tensor:
        """Run the stages before a thaw line.

        Args:
            line: The thaw line, between 1 and L + 1.
            inputs: Token ids and masks, ``(batch, tokens)`` each.
            start: The line at which the computation starts, below ``line``. If it is above 1, the
                stages before it are skipped.
            states: The states at the line ``start``. None if the computation starts from the
                tokens.

        Returns:
            The states that reach the line, ``(batch, tokens, hidden)``.

        Raises:
            ValueError: If a line is outside its range.
        """
        if not 1 <= line <= self.depth + 1:
            raise ValueError(f"a prefix needs a line between 1 and {self.depth + 1}, not {line}")
        runs = {} if states is None else self._entry(start, states)
        if line <= self.depth:
            runs[line - 1] = stop
        return self._reached(runs, inputs, states)

    def _reached(
        self, runs: Mapping[int, Run], inputs: Inputs, states: Tensor | None = None
    ) -> Tensor:
        """Run a view of the model; return the last states, or those before a block that stops."""
        try:
            reached = self._run(self._view(runs, states), inputs)
        except Reached as stopped:
            return stopped.states
        if stop in runs.values():
            raise RuntimeError("the backbone never ran the block of the line")
        return reached

    def suffix(self, line: int, states: Tensor, inputs: Inputs) -> Tensor:
        """Run the stages from a thaw line on, starting from stored states.

        Args:
            line: The thaw line that the states were stored at, between 1 and L.
            states: ``(batch, tokens, hidden)``, with finite values at padding too.
            inputs: Inputs of the same texts, which supply masks and positions only.

        Returns:
            The states of the last stage, ``(batch, tokens, hidden)``. They equal those of the
            complete model bit for bit.

        Raises:
            ValueError: If the line is outside this range.
        """
        return self._run(self._view(self._entry(line, states), states), inputs)

    def classifier_view(
        self,
        classifier: PreTrainedModel,
        pooling: str,
        *,
        line: int = 1,
        states: Tensor | None = None,
    ) -> PreTrainedModel:
        """Return a classifier that computes only what its head reads.

        Args:
            classifier: A classifier around this base model. It is not changed, and it shares all
                parameters with the result.
            pooling: The pooling of the head. With ``first``, the last block runs for the first
                token of each text alone, if the family supports it.
            line: The thaw line that the states were stored at, between 1 and L.
            states: The states that replace the stages before the line, ``(batch, tokens, hidden)``,
                with finite values at padding too. If None, the classifier starts from the tokens.

        Raises:
            ValueError: If the line is outside this range.
        """
        runs = {} if states is None else self._entry(line, states)
        if self.reads_first_token(pooling):
            assert self.family.first_token is not None
            entering = states if states is not None and line == self.depth else None
            runs[self.depth - 1] = for_first_token(self.family.first_token, entering)
        if not runs:
            return classifier
        base = self._view(runs, states)
        view: PreTrainedModel = with_modules(classifier, {classifier.base_model_prefix: base})
        return view

    def reads_first_token(self, pooling: str) -> bool:
        """Return whether the last block runs for the first token of each text alone."""
        return pooling == "first" and self.family.first_token is not None

    def _entry(self, line: int, states: Tensor) -> dict[int, Run]:
        """Return how the blocks run if states enter at a line and the blocks before it do not run.

        Raises:
            ValueError: If the line is not between 1 and L.
        """
        if not 1 <= line <= self.depth:
            raise ValueError(f"states enter at a line between 1 and {self.depth}, not {line}")
        return dict.fromkeys(range(line - 1), skip) | {line - 1: enter(states)}

    def stage_states(
        self,
        inputs: Inputs,
        visit: Callable[[int, Tensor], None],
        last: int | None = None,
        *,
        start: int = 1,
        states: Tensor | None = None,
    ) -> Tensor:
        """Run the backbone once and call a function with the states of each stage.

        The states of stage L are those after the final norm. The states are not kept. So memory is
        needed for the token states of one stage only, if the function pools them.

        Args:
            inputs: Token ids and masks, ``(batch, tokens)`` each.
            visit: Function of the stage and its states, ``(batch, tokens, hidden)``. Stages before
                ``start`` are visited only if the computation starts from the tokens.
            last: The last stage that is needed. Later blocks do not run. If None, all blocks run.
            start: The line at which the computation starts. If it is above 1, the stages before it
                are skipped.
            states: The states at the line ``start``. None if the computation starts from the
                tokens.

        Returns:
            The states of the last stage, ``(batch, tokens, hidden)``.
        """
        last = self.depth if last is None else last
        runs: dict[int, Run] = dict.fromkeys(range(start - 1), skip)
        for stage in range(start, last + 1):
            entering = states if stage == start else None
            runs[stage - 1] = visiting(visit, stage, last=stage == last, states=entering)
        if last < self.depth:
            runs[last] = stop
        reached = self._reached(runs, inputs, states)
        visit(last, reached)
        return reached

    def pooled(
        self,
        inputs: Inputs,
        last: int | None = None,
        visit: Callable[[int, Tensor], None] = lambda stage, states: None,
    ) -> Tensor:
        """Run the backbone once and pool the states of every stage in every way.

        Args:
            inputs: Token ids and masks, ``(batch, tokens)`` each.
            last: The last stage that is needed. Later blocks do not run. If None, all blocks run.
            visit: Function that is also called with each stage and its token states.

        Returns:
            ``(batch, stages, 3, hidden)``, with the poolings in the order of `POOLINGS`.
        """
        pooled: dict[int, Tensor] = {}
        mask = inputs.get("attention_mask")

        def keep(stage: int, states: Tensor) -> None:
            pooled[stage] = pool_all(states, mask)
            visit(stage, states)

        self.stage_states(inputs, keep, last)
        return torch.stack([pooled[stage] for stage in sorted(pooled)], dim=1)


def _with_module(model: PreTrainedModel, path: str, module: nn.Module) -> PreTrainedModel:
    """Return a shallow copy of a model with another module at a path."""
    parent, _, name = path.rpartition(".")
    while parent:
        module = with_modules(model.get_submodule(parent), {name: module})
        parent, _, name = parent.rpartition(".")
    copied: PreTrainedModel = with_modules(model, {name: module})
    return copied
