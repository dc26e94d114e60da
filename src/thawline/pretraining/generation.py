"""Generate text with a causal language model, using `generate` of transformers."""

from __future__ import annotations

import copy
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
from thawline.runtime.randomness import RandomStream


@dataclass(frozen=True)
class GeneratedText:
    """One generated text.

    Attributes:
        prompt: The prompt, as the user wrote it.
        text: The prompt, as the tokenizer decodes it, followed by the generated text.
        written: The generated text without the prompt.
        prompt_tokens: Number of tokens of the prompt, including the token that starts a text.
        tokens: Number of generated tokens, including the token that ends a text.
        stopped: Why generation stopped: ``end`` (the model ended the text), ``tokens`` (the
            requested number was generated) or ``limit`` (the model's context is full).
        seed: Random seed that reproduces the text with the same model on the same machine.
        seconds: Duration of the generation.
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
    callback: Callable[[str], object] | None = None,
) -> Iterator[GeneratedText]:
    """Check all arguments, and return an iterator that generates one text after the other.

    Args:
        language: The model. It is moved to the device.
        prompt: The start of the text. If empty, generation starts from the token that starts every
            text.
        config: The settings of the generation. Its field ``model`` is ignored.
        callback: Function that receives each part of a text, including the prompt, as soon as its
            words are complete. None to receive nothing.

    Raises:
        ThawlineError: If the settings contradict each other, the device is not available, or the
            prompt is too long. Also if the prompt is empty and the model has no start token.
    """
    if config.samples > 1 and config.temperature == 0:
        raise ThawlineError(
            "1 sample, because temperature 0 always generates the same text",
            f"{config.samples} samples",
            "use `samples=1`, or a temperature above 0",
            setting="samples",
        )
    device = pick_device(config.device)
    ids = prompt_ids(language, prompt)
    language.model.to(device)
    return (
        _write(language, prompt, ids.to(device), config, config.seed + number, callback)
        for number in range(config.samples)
    )


def prompt_ids(language: LanguageModel, prompt: str) -> torch.Tensor:
    """Return the token ids of a prompt, ``(1, tokens)``.

    Args:
        language: The model and its tokenizer.
        prompt: The prompt. If empty, the result is the token that starts a text.

    Raises:
        ThawlineError: If the prompt leaves no space for another token, if it is empty and the model
            has no start token, or if it is not valid Unicode.
    """
    try:
        prompt.encode()
    except UnicodeError as error:
        raise ThawlineError(
            "a prompt that is valid Unicode",
            f"an encoding error: {error}",
            "convert the prompt to UTF-8",
        ) from error
    ids: list[int] = language.tokenizer(prompt)["input_ids"]
    while len(ids) > 1 and ids[-1] in language.end_ids:
        ids = ids[:-1]  # some tokenizers append an end token, but the text continues
    if not ids:
        if language.start_id is None:
            raise ThawlineError(
                f"a prompt, because '{language.name}' has no token that starts a text",
                "an empty prompt",
                'add a prompt, for example thawline generate "The film"',
            )
        ids = [language.start_id]
    if len(ids) >= language.limit:
        raise ThawlineError(
            f"a prompt of at most {language.limit - 1} tokens, so that '{language.name}' can "
            "continue it",
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
    callback: Callable[[str], object] | None,
) -> GeneratedText:
    tokenizer, start = language.tokenizer, time.perf_counter()
    room = language.limit - ids.shape[1]
    generation = _generation_config(language, config, min(config.tokens, room))
    # Remove the checkpoint's settings, which would replace the settings that are None here. Change
    # a shallow copy, because another thread may use the same model.
    model = copy.copy(language.model)
    model.generation_config = GenerationConfig()
    with RandomStream(seed, ids.device.type).training():
        tokens = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=generation,
            streamer=None if callback is None else _CallbackStreamer(tokenizer, callback),
        )[0].tolist()
    count = len(tokens) - ids.shape[1]
    decoded_prompt = tokenizer.decode(ids[0].tolist(), **_DECODING)
    text = tokenizer.decode(tokens, **_DECODING)
    if tokens[-1] in language.end_ids and count:
        stopped = "end"
    else:
        stopped = "tokens" if count == config.tokens else "limit"
    return GeneratedText(
        prompt=prompt,
        text=text,
        written=text[len(decoded_prompt) :],  # decoding it alone could lose its first space
        prompt_tokens=ids.shape[1],
        tokens=count,
        stopped=stopped,
        seed=seed,
        seconds=time.perf_counter() - start,
    )


_DECODING: dict[str, Any] = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
"""Options of `decode`. Without clean-up, the parts of a text join to the complete text."""


def _generation_config(language: LanguageModel, config: WritingConfig, max_tokens: int) -> Any:
    ends = language.end_ids
    pad = language.tokenizer.pad_token_id
    common = {
        "max_new_tokens": max_tokens,
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


class _CallbackStreamer(TextStreamer):
    """Pass each part of a text to a callback instead of printing it."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, callback: Callable[[str], object]
    ) -> None:
        super().__init__(tokenizer, **_DECODING)
        self._callback = callback

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self._callback(text)
