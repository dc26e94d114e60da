"""Toy configs of every family and toy tokenizers, which any test can import."""

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
"""The families that Thawline registers with transformers."""
DEPTH, WIDTH, LIMIT = 4, 32, 40
ROUNDING = {"thawline-glove": 1e-4}
"""The tolerance for values of a family that are equal bit for bit in other families.

It is relative to the larger of 1 and the value. torch's own encoder layer multiplies in another
order if a weight requires gradients.
"""


def toy_tokenizer(*, causal: bool = False):
    """Return a word-level tokenizer. If causal, it has no pad token and adds no special tokens."""
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
    """Return a config of a family with 4 blocks, a hidden size of 32 and 40 positions."""
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
    if family == "gpt2":  # not a family of Thawline: tests register it
        common = {
            "vocab_size": len(WORDS) + 4,
            "n_embd": WIDTH,
            "n_layer": DEPTH,
            "n_head": 4,
            "n_positions": LIMIT,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
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
    """Return a byte-level BPE tokenizer without merges that puts a bos token before each text."""
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
    """Save a toy language model over bytes, with weights large enough for distinct predictions."""
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
    """Enlarge the weights of a native head, because the toys' first tokens are very similar."""
    import torch

    with torch.no_grad():
        for parameter in head.parameters():
            if parameter.requires_grad and parameter.dim() == 2:
                parameter.mul_(30)


def as_inputs(ids, mask=None, types=None) -> dict:
    """Return a batch as keyword arguments of a model, without those that are None."""
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: tensor for name, tensor in named.items() if tensor is not None}
