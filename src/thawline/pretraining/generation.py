"""Text that a causal language model writes, token by token, by transformers' own `generate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedTokenizerBase, TextStreamer

from thawline.backbones.language import LanguageModel
from thawline.config import WritingConfig
from thawline.errors import ThawlineError
from thawline.runtime.devices import pick_device


@dataclass(frozen=True)
class Written:
    """One text.

    Attributes:
        prompt: as the user gave it.
        text: the prompt as the model read it, and what it wrote.
        written: what it wrote alone.
        prompt_tokens: how many it read, the one that starts every text counted.
        tokens: how many it wrote, the one that ends a text counted.
        stopped: why it stopped: ``end`` of the text, all ``tokens`` written, or the model's
            ``limit``.
        seed: with which the same model writes the same text again, on the same machine.
        seconds: of the writing.
    """

    prompt: str
    text: str
    written: str
    prompt_tokens: int
    tokens: int
    stopped: str
    seed: int
    seconds: float


def write_texts(
    language: LanguageModel,
    prompt: str,
    config: WritingConfig,
    listen: Callable[[str], object] | None = None,
) -> Iterator[Written]:
    """Check everything, then write the samples, one after the other.

    Args:
        language: the model; it is moved to the device.
        prompt: what the text starts with; empty: nothing but the token that starts every text.
        config: how to write; its ``model`` is not read.
        listen: is given each piece of a text, the prompt's too, as soon as its words are whole.

    Raises:
        ThawlineError: the settings contradict each other, the device is not here, or the prompt is
            too long or, where no token starts a text, empty.
    """
    if config.samples > 1 and config.temperature == 0:
        raise ThawlineError(
            "one sample at temperature 0, which always writes the same",
            f"{config.samples} samples",
            "give --samples 1, or a temperature above 0",
        )
    device = pick_device(config.device)
    ids = prompt_ids(language, prompt)
    language.model.to(device)
    return (
        _write(language, prompt, ids.to(device), config, config.seed + number, listen)
        for number in range(config.samples)
    )


def prompt_ids(language: LanguageModel, prompt: str) -> torch.Tensor:
    """Return the ids of a prompt, ``(1, tokens)``, with room for at least one more.

    Raises:
        ThawlineError: there is no room, nothing to start from, or half a character.
    """
    try:
        prompt.encode()
    except UnicodeError as error:
        raise ThawlineError("a prompt in UTF-8", str(error), "convert it to UTF-8") from error
    ids: list[int] = language.tokenizer(prompt)["input_ids"]
    while len(ids) > 1 and ids[-1] in language.end_ids:
        ids = ids[:-1]  # some tokenizers end each text, and this one is to go on
    if not ids:
        if language.start_id is None:
            raise ThawlineError(
                "a prompt, as this model has no token that starts a text",
                "an empty one",
                'write thawline generate "The film"',
            )
        ids = [language.start_id]
    if len(ids) >= language.limit:
        raise ThawlineError(
            f"a prompt of at most {language.limit - 1} tokens, so that '{language.name}' can add "
            "to it",
            f"{len(ids)} tokens",
            "shorten the prompt",
        )
    return torch.tensor([ids])


@torch.no_grad()
def _write(
    language: LanguageModel,
    prompt: str,
    ids: torch.Tensor,
    config: WritingConfig,
    seed: int,
    listen: Callable[[str], object] | None,
) -> Written:
    tokenizer, start = language.tokenizer, time.perf_counter()
    room = language.limit - ids.shape[1]
    how = _generation_config(language, config, min(config.tokens, room))
    # What the checkpoint suggests (a temperature, a penalty) would fill whatever is None in `how`.
    suggested = language.model.generation_config
    language.model.generation_config = GenerationConfig()
    devices = [ids.device] if ids.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            whole = language.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=how,
                streamer=None if listen is None else _Pieces(tokenizer, listen),
            )[0].tolist()
    finally:
        language.model.generation_config = suggested
    count = len(whole) - ids.shape[1]
    read = tokenizer.decode(ids[0].tolist(), **_AS_WRITTEN)
    text = tokenizer.decode(whole, **_AS_WRITTEN)
    if whole[-1] in language.end_ids and count:
        stopped = "end"
    else:
        stopped = "tokens" if count == config.tokens else "limit"
    return Written(
        prompt=prompt,
        text=text,
        written=text[len(read) :],  # decoded alone, its first word might lose the space before it
        prompt_tokens=ids.shape[1],
        tokens=count,
        stopped=stopped,
        seed=seed,
        seconds=time.perf_counter() - start,
    )


_AS_WRITTEN: dict[str, Any] = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
"""Nothing is tidied: pieces of a text make the same text as all its tokens at once."""


def _generation_config(language: LanguageModel, config: WritingConfig, most: int) -> Any:
    ends = language.end_ids
    pad = language.tokenizer.pad_token_id
    common = {
        "max_new_tokens": most,
        "use_cache": True,
        "eos_token_id": ends if ends else None,
        "pad_token_id": (ends[0] if ends else 0) if pad is None else pad,
    }
    if config.temperature == 0:
        return GenerationConfig(do_sample=False, **common)
    return GenerationConfig(
        do_sample=True,
        temperature=float(config.temperature),
        top_k=config.top_k,
        top_p=float(config.top_p),
        **common,
    )


class _Pieces(TextStreamer):
    """Hands on each piece of a text where transformers would print it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, listen: Callable[[str], object]) -> None:
        super().__init__(tokenizer, **_AS_WRITTEN)
        self._listen = listen

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self._listen(text)
