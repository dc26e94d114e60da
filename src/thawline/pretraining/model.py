"""The language model: a Qwen3 from its config, and what it loses on windows of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from thawline.config import ArchitectureConfig
from thawline.errors import ThawlineError

IGNORED = -100
"""In the place of a token that is not to be predicted."""


def check_architecture(config: ArchitectureConfig) -> None:
    """Raise ThawlineError where no attention can be made of these numbers of heads."""
    heads, shared = config.num_attention_heads, config.num_key_value_heads
    if heads % shared:
        raise ThawlineError(
            f"architecture.num_key_value_heads to divide the {heads} attention heads",
            str(shared),
            "give 1, or as many as there are attention heads",
        )
    if config.head_dim % 2:
        raise ThawlineError(
            "architecture.head_dim to be even, as rotary positions turn pairs",
            str(config.head_dim),
            "give an even one",
        )


def new_model(
    config: ArchitectureConfig, tokenizer: PreTrainedTokenizerFast, window: int, seed: int
) -> Qwen3ForCausalLM:
    """Return a language model with freshly drawn weights; input and output embeddings are one.

    Raises:
        ThawlineError: `check_architecture` finds fault.
    """
    check_architecture(config)
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=window,
            tie_word_embeddings=True,
            attention_dropout=0.0,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def document_mask(ids: Tensor, bos_id: int) -> Tensor:
    """Return what each token sees: itself and those before it in its own document.

    Args:
        ids: ``(batch, tokens)``; a document begins with ``bos_id``.
        bos_id: of the token that every document begins with.

    Returns:
        ``(batch, 1, tokens, tokens)`` bool, which transformers takes as it is.
    """
    document = (ids == bos_id).cumsum(1)
    same = document[:, :, None] == document[:, None, :]
    return (same & torch.ones_like(same[0]).tril())[:, None]


class NextToken(nn.Module):
    """From windows to what the model loses on them, in nats.

    No document sees another, and no token of one is predicted from another: the begin of a
    document is read, not predicted. So is what fills the last window.

    Args:
        model: the language model.
        low: whether matrices are multiplied in bf16, under autocast; weights stay fp32.
        compiled: whether torch compiles the forward and the backward pass.
    """

    def __init__(self, model: Qwen3ForCausalLM, *, low: bool, compiled: bool) -> None:
        super().__init__()
        self.model = model
        self._low = low
        config = model.config
        self._bos, self.pad_id = int(config.bos_token_id), int(config.pad_token_id)
        self._score: Callable[..., tuple[Tensor, Tensor]] = self._measure
        if compiled:
            self._score = torch.compile(self._measure, dynamic=False)

    def targets(self, windows: Tensor) -> Tensor:
        """Return what is to be predicted, ``(batch, length)``, with `IGNORED` for what is not."""
        following = windows[:, 1:]
        return following.masked_fill((following == self._bos) | (following == self.pad_id), IGNORED)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the sum of the losses in nats, and how many tokens were foretold: scalars.

        Args:
            windows: ``(batch, length + 1)`` token ids.
        """
        found: tuple[Tensor, Tensor] = self._score(windows, not self.training)
        return found

    def _measure(self, windows: Tensor, count: bool) -> tuple[Tensor, Tensor]:
        ids, targets = windows[:, :-1], self.targets(windows)
        with torch.autocast(windows.device.type, torch.bfloat16, enabled=self._low):
            mask = document_mask(ids, self._bos)
            states = self.model.model(input_ids=ids, attention_mask=mask, use_cache=False)[0]
            logits: Any = self.model.lm_head(states)
        logits = logits.float().flatten(0, 1)
        wanted = targets.flatten()
        nats = cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum")
        right = (logits.argmax(-1) == wanted).sum() if count else nats.new_zeros(())
        return nats, right
