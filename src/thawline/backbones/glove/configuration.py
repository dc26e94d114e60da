"""The config of the encoder on word vectors. This module does not import torch."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PreTrainedConfig


class GloveConfig(PreTrainedConfig):
    """Configuration of a `GloveModel`.

    Attributes:
        vocab_size: Number of words, including those for padding, unknown words and the boundary
            of a pair.
        vector_size: Width of a word vector. If it differs from ``hidden_size``, a linear layer
            projects the vectors.
        freeze_vectors: Whether the word vectors never train, for every thaw line.
        hidden_size: Width of the blocks.
        num_hidden_layers: Number of blocks.
        num_attention_heads: Number of attention heads in each block.
        intermediate_size: Width of the feed-forward layer in each block.
        norm_first: Whether a block normalises before attention and the feed-forward layer
            (pre-norm) or after them (post-norm).
        dropout: Dropout probability of embeddings and blocks in training.
        attention_dropout: Dropout probability of attention weights in training.
        max_position_embeddings: Maximum number of tokens in a text. Positions are sinusoidal, so
            they have no table.
        initializer_range: Standard deviation of the initial weights.
        pad_token_id: Token id of padding, always 0.
    """

    model_type = "thawline-glove"

    def __init__(
        self,
        vocab_size: int = 3,
        vector_size: int = 50,
        freeze_vectors: bool = False,
        hidden_size: int = 128,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 4,
        intermediate_size: int = 256,
        norm_first: bool = True,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        max_position_embeddings: int = 512,
        initializer_range: float = 0.05,
        pad_token_id: int = 0,
        **common: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.vector_size = vector_size
        self.freeze_vectors = freeze_vectors
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.norm_first = norm_first
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.max_position_embeddings = max_position_embeddings
        self.initializer_range = initializer_range
        self.pad_token_id = pad_token_id
        super().__init__(**common)
