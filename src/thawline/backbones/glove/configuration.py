"""The config of the encoder on word vectors, apart from `modeling`: it needs none of torch."""

from __future__ import annotations

from typing import Any

from transformers.configuration_utils import PreTrainedConfig


class GloveConfig(PreTrainedConfig):
    """What a `GloveModel` is made of.

    Attributes:
        vocab_size: words, those for padding, the unknown word and the boundary included.
        vector_size: of a word's vector; a linear layer takes it to `hidden_size` where they differ.
        freeze_vectors: whether the words' vectors stay as they are, wherever the thaw line is.
        hidden_size: the width of the blocks.
        num_hidden_layers: the number of blocks.
        num_attention_heads: in each block.
        intermediate_size: of the feed-forward layer in each block.
        norm_first: whether a block's norms stand before its two parts, or after them.
        dropout: of embeddings and blocks, in training.
        attention_dropout: of attention's weights, in training.
        max_position_embeddings: the most tokens of a text; positions are sines, so there is no
            table of them.
        initializer_range: the deviation of the weights that are drawn.
        pad_token_id: the row of padding, always 0.
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
