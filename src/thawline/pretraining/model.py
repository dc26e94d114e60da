"""Define the language model, a Qwen3, and its loss on windows of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from thawline.config import ArchitectureConfig
from thawline.errors import ThawlineError
from thawline.runtime.randomness import RandomStream

IGNORED = -100
"""The target of a token that is not predicted."""


def check_architecture(config: ArchitectureConfig) -> None:
    """Check that the numbers of heads and their width are valid.

    Raises:
        ThawlineError: If the number of key-value heads does not divide the number of attention
            heads, or if the width of a head is odd.
    """
    heads, key_value_heads = config.num_attention_heads, config.num_key_value_heads
    if heads % key_value_heads:
        raise ThawlineError(
            f"a number of key-value heads that divides the {heads} attention heads",
            str(key_value_heads),
            f"set `architecture.num_key_value_heads` to 1 or {heads}",
            setting="architecture.num_key_value_heads",
        )
    if config.head_dim % 2:
        raise ThawlineError(
            "an even head width, because rotary position embeddings rotate pairs of numbers",
            str(config.head_dim),
            "set `architecture.head_dim` to an even number",
            setting="architecture.head_dim",
        )


def new_model(
    config: ArchitectureConfig, tokenizer: PreTrainedTokenizerFast, window: int, seed: int
) -> Qwen3ForCausalLM:
    """Return a language model with random weights and with tied input and output embeddings.

    Args:
        config: The architecture.
        tokenizer: The tokenizer, which defines the vocabulary and the special tokens.
        window: The maximum number of tokens that the model reads.
        seed: Random seed for the weights.

    Raises:
        ThawlineError: If `check_architecture` rejects the architecture.
    """
    check_architecture(config)
    described = Qwen3Config(
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
    with RandomStream(seed).drawing():
        return Qwen3ForCausalLM(described)


def document_mask(ids: Tensor, bos_id: int) -> Tensor:
    """Return an attention mask by which a token attends to itself and to earlier tokens.

    A token never attends to the tokens of another document.

    Args:
        ids: Token ids, ``(batch, tokens)``. Every document begins with ``bos_id``.
        bos_id: Id of the token that begins a document.

    Returns:
        A boolean mask, ``(batch, 1, tokens, tokens)``, in the form that transformers expects.
    """
    document = (ids == bos_id).cumsum(1)
    same = document[:, :, None] == document[:, None, :]
    return (same & torch.ones_like(same[0]).tril())[:, None]


class NextToken(nn.Module):
    """A module that computes the loss of a language model on windows of tokens, in nats.

    Tokens never attend to another document. The first token of a document is not predicted, because
    only another document precedes it. Padding is not predicted either.

    Args:
        model: The language model.
        use_bf16: Whether to multiply matrices in bf16, under autocast. The weights stay in fp32.
        compiled: Whether torch compiles the forward and the backward pass.
    """

    def __init__(self, model: Qwen3ForCausalLM, *, use_bf16: bool, compiled: bool) -> None:
        super().__init__()
        self.model = model
        self._use_bf16 = use_bf16
        config = model.config
        self._bos, self.pad_id = int(config.bos_token_id), int(config.pad_token_id)
        self._score: Callable[..., tuple[Tensor, Tensor]] = self._measure
        if compiled:
            self._score = torch.compile(self._measure, dynamic=False)

    def targets(self, windows: Tensor) -> Tensor:
        """Return the targets of the prediction, which are the tokens that follow.

        Args:
            windows: Token ids, ``(batch, length + 1)``.

        Returns:
            Token ids, ``(batch, length)``, and `IGNORED` for tokens that are not predicted.
        """
        following = windows[:, 1:]
        return following.masked_fill((following == self._bos) | (following == self.pad_id), IGNORED)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss and the number of correct predictions.

        Args:
            windows: Token ids, ``(batch, length + 1)``.

        Returns:
            Two scalars: the sum of the cross-entropies in nats, and the number of tokens that were
            predicted correctly. The latter is 0 in training mode, where it is not computed.
        """
        result: tuple[Tensor, Tensor] = self._score(windows, not self.training)
        return result

    def _measure(self, windows: Tensor, count: bool) -> tuple[Tensor, Tensor]:
        ids, targets = windows[:, :-1], self.targets(windows)
        with torch.autocast(windows.device.type, torch.bfloat16, enabled=self._use_bf16):
            mask = document_mask(ids, self._bos)
            states = self.model.model(input_ids=ids, attention_mask=mask, use_cache=False)[0]
            logits: Any = self.model.lm_head(states)
        logits = logits.float().flatten(0, 1)
        targets = targets.flatten()
        nats = cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum")
        right = (logits.argmax(-1) == targets).sum() if count else nats.new_zeros(())
        return nats, right
