"""Toy configs of every family and a toy tokenizer, in code that any test can import."""

from __future__ import annotations

WORDS = [
    "a",
    "an",
    "the",
    "this",
    "that",
    "film",
    "movie",
    "plot",
    "cast",
    "scene",
    "story",
    "was",
    "is",
    "were",
    "and",
    "but",
    "not",
    "very",
    "so",
    "it",
    "good",
    "great",
    "warm",
    "funny",
    "lovely",
    "wonderful",
    "brilliant",
    "moving",
    "bad",
    "dull",
    "awful",
    "boring",
    "silly",
    "poor",
    "cheap",
    "weak",
    "slow",
    "loud",
    "long",
    "short",
    "old",
    "new",
    "best",
    "worst",
    "ever",
    "seen",
    "made",
    "me",
    "laugh",
    "cry",
    "sleep",
]
GOOD, BAD = WORDS[19:27], WORDS[27:36]
FAMILIES = ("bert", "roberta", "distilbert", "modernbert", "qwen3", "llama", "thawline-glove")
OWN = ("thawline-glove",)
"""Those that transformers does not know without Thawline."""
DEPTH, WIDTH, LIMIT = 4, 32, 40
ROUNDING = {"thawline-glove": 1e-4}
"""How far apart a family's values may lie that are equal to the bit elsewhere, relative to 1 where
they are smaller: torch's own attention multiplies in another order where a weight may train."""


def toy_tokenizer(*, causal: bool = False):
    """A word-level tokenizer with special tokens as the family has them; causal: no pad token."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if causal:
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[SEP]", model_max_length=LIMIT
        )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        model_max_length=LIMIT,
    )


def toy_config(family: str):
    """A config of a family: 4 blocks, 32 wide, 40 positions."""
    from transformers import AutoConfig

    common = {
        "vocab_size": len(WORDS) + 4,
        "hidden_size": WIDTH,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": LIMIT + 1 if family == "roberta" else LIMIT,
        "pad_token_id": 0,
    }
    if family == "distilbert":
        common = {
            "vocab_size": len(WORDS) + 4,
            "dim": WIDTH,
            "n_layers": DEPTH,
            "n_heads": 4,
            "hidden_dim": 64,
            "max_position_embeddings": LIMIT,
            "pad_token_id": 0,
        }
    if family == "modernbert":
        special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        common |= special | {"local_attention": 8, "global_attn_every_n_layers": 2}
    if family in ("qwen3", "llama"):
        common |= {"num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 2, "eos_token_id": 3}
    if family == "thawline-glove":
        common |= {"vector_size": 64}
    return AutoConfig.for_model(family, **common)


def byte_tokenizer():
    """A byte-level BPE tokenizer without merges; it puts its bos token before each text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = {"<pad>": 0, "<bos>": 1, "<eos>": 2}
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = special | {letter: i for i, letter in enumerate(alphabet, len(special))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        model_max_length=LIMIT,
    )


def save_writer(folder, family: str = "qwen3", **changes) -> None:
    """Save a toy language model over bytes, of weights large enough for it to have preferences."""
    import torch
    from transformers import AutoModelForCausalLM

    config = toy_config(family)
    values = {"vocab_size": 259, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.3}
    for name, value in (values | {"tie_word_embeddings": True} | changes).items():
        setattr(config, name, value)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)


def enlarge_head(head) -> None:
    """Enlarge a native head's weights: the toys' first tokens are so alike that logits are too."""
    import torch

    with torch.no_grad():
        for parameter in head.parameters():
            if parameter.requires_grad and parameter.dim() == 2:
                parameter.mul_(30)


def as_inputs(ids, mask=None, types=None) -> dict:
    """A model's keyword arguments of a batch; what is None is left out."""
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: tensor for name, tensor in named.items() if tensor is not None}
