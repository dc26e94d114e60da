"""The encoder on word vectors as a model of transformers, and the same with a classifier on top.

Words' vectors, sines for their places (Vaswani et al., 2017, arXiv 1706.03762), and the layers of
an `nn.TransformerEncoder`. `import thawline` registers both models with the Auto classes, from a
hook in the middle of whichever import first brings those in: so nothing of Thawline but the config
is imported here.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, scaled_dot_product_attention
from transformers import PreTrainedModel, initialization
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from thawline.backbones.glove.configuration import GloveConfig


def gelu(states: Tensor) -> Tensor:
    """Return GELU, as a function of our own.

    In evaluation mode an `nn.TransformerEncoderLayer` takes a fast path wherever it knows its
    activation. That path reads the weights of ``linear1`` and ``linear2`` without calling them, so
    an adapter in their place would do nothing, and without a word. It knows torch's own functions.
    """
    return nn.functional.gelu(states)


def places(tokens: int, width: int, device: torch.device) -> Tensor:
    """Return sines and cosines of the places 0 … tokens - 1, ``(tokens, width)`` in fp32."""
    rates = torch.arange(0, width, 2, device=device) * (-math.log(10_000) / width)
    angles = torch.arange(tokens, device=device)[:, None] * rates.exp()
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


class SelfAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` of tokens to those of their own text, texts before tokens throughout.

    Torch's own puts tokens first before it projects, and a matrix in bf16 takes six times as long
    where the rows do not lie one after the other (16 texts of 250 tokens, 128 wide, two cores of
    an AMD EPYC, torch 2.13: 14.6 ms against 2.4).
    """

    def forward(  # type: ignore[override]  # narrower than the parent's
        self, query: Tensor, *ignored: Tensor, key_padding_mask: Tensor, **fixed: Any
    ) -> tuple[Tensor, None]:
        """Mix states ``(batch, tokens, hidden)``.

        Args:
            query: the states, which are keys and values too.
            ignored: the states again, twice.
            key_padding_mask: ``(batch, tokens)``, -inf for padding, else 0.
            fixed: what an `nn.TransformerEncoderLayer` asks for: no weights, all tokens.

        Returns:
            The mixed states, and None in place of weights.
        """
        packed = linear(query, self.in_proj_weight, self.in_proj_bias)
        queries, keys, values = (
            part.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for part in packed.chunk(3, dim=2)
        )
        mixed = scaled_dot_product_attention(
            queries,
            keys,
            values,
            key_padding_mask[:, None, None].to(packed.dtype),
            self.dropout if self.training else 0.0,
        )
        joined = mixed.transpose(1, 2).flatten(2)
        return linear(joined, self.out_proj.weight, self.out_proj.bias), None


class GloveEmbeddings(nn.Module):
    """Stage 0: a vector for each word, taken to the width of the blocks, and its place."""

    def __init__(self, config: GloveConfig) -> None:
        super().__init__()
        vector, width = config.vector_size, config.hidden_size
        self.words = nn.Embedding(config.vocab_size, vector, padding_idx=config.pad_token_id)
        self.projection = nn.Identity() if vector == width else nn.Linear(vector, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Turn ids ``(batch, tokens)`` into states ``(batch, tokens, hidden)``."""
        words = self.norm(self.projection(self.words(input_ids)))
        place = places(words.shape[1], words.shape[2], words.device)
        states: Tensor = self.dropout(words + place.to(words.dtype))
        return states


class GlovePreTrainedModel(PreTrainedModel):
    """What the two models below have in common."""

    config_class = GloveConfig
    base_model_prefix = "glove"
    _no_split_modules = ("TransformerEncoderLayer",)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.MultiheadAttention):
            # transformers would draw it in torch's way, whatever the config says.
            initialization.normal_(module.in_proj_weight, std=self.config.initializer_range)
            initialization.zeros_(module.in_proj_bias)
        else:
            super()._init_weights(module)


class GloveModel(GlovePreTrainedModel):
    """The encoder: from ids to the states of the last block."""

    def __init__(self, config: GloveConfig) -> None:
        super().__init__(config)
        self.embeddings = GloveEmbeddings(config)
        layer = nn.TransformerEncoderLayer(
            config.hidden_size,
            config.num_attention_heads,
            config.intermediate_size,
            config.dropout,
            activation=gelu,
            batch_first=True,
            norm_first=config.norm_first,
        )
        layer.self_attn = SelfAttention(
            config.hidden_size,
            config.num_attention_heads,
            config.attention_dropout,
            batch_first=True,
        )
        norm = nn.LayerNorm(config.hidden_size) if config.norm_first else None
        self.encoder = nn.TransformerEncoder(
            layer, config.num_hidden_layers, norm, enable_nested_tensor=False
        )
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of the words' vectors."""
        return self.embeddings.words

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Put another table of vectors in place."""
        self.embeddings.words = value

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        **ignored: Any,
    ) -> BaseModelOutput:
        """Read token ids.

        Args:
            input_ids: ``(batch, tokens)``, padded on the right.
            attention_mask: ``(batch, tokens)``; None: no padding.
            output_hidden_states: whether to give out the states of every stage.
            ignored: what a pipeline may add.

        Returns:
            An output with ``last_hidden_state``, ``(batch, tokens, hidden)``.
        """
        # Always a mask: without one torch's attention has a fast path of its own in evaluation,
        # which rounds otherwise and materialises all weights.
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        hidden, states = real == 0, self.embeddings(input_ids)
        stages = [states]
        # Not `self.encoder(…)`: it asks its first layer for parts that a pass-through lacks.
        for block in self.encoder.layers:
            states = block(states, src_key_padding_mask=hidden)
            stages.append(states)
        if self.encoder.norm is not None:
            states = self.encoder.norm(states)
            stages[-1] = states
        kept = tuple(stages) if output_hidden_states else None
        return BaseModelOutput(last_hidden_state=states, hidden_states=kept)


class GloveForSequenceClassification(GlovePreTrainedModel):
    """The family's own classifier: the mean of the real tokens, dropout, a linear layer."""

    def __init__(self, config: GloveConfig) -> None:
        super().__init__(config)
        self.glove = GloveModel(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **ignored: Any,
    ) -> SequenceClassifierOutput:
        """Classify token ids.

        Args:
            input_ids: ``(batch, tokens)``, padded on the right.
            attention_mask: ``(batch, tokens)``; None: no padding.
            labels: ``(batch,)`` ids; given, the mean cross-entropy is returned as ``loss``.
            ignored: what a pipeline may add.

        Returns:
            An output with ``logits``, ``(batch, labels)``.
        """
        from thawline.backbones.pooling import pool

        states = self.glove(input_ids=input_ids, attention_mask=attention_mask)[0]
        logits = self.classifier(self.dropout(pool(states, attention_mask, "mean")))
        loss = None if labels is None else cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)
