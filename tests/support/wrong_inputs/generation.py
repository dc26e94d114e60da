"""Wrong input of ``generate``."""

from __future__ import annotations

from tests.support.breakage import Wrong, json_with, removed, weights

GENERATE = [
    Wrong("a temperature below 0", "generate --temperature=-1"),
    Wrong("a temperature that is not a number", "generate --temperature hot"),
    Wrong("a share of 0", "generate --top-p 0"),
    Wrong("a share above 1", "generate --top-p 1.5"),
    Wrong("no token to sample from", "generate --top-k 0"),
    Wrong("no token to write", "generate --tokens 0"),
    Wrong("a seed below 0", "generate --seed=-1"),
    Wrong("several samples that would be identical", "generate --temperature 0 --samples 2"),
    Wrong(
        "a prompt of the maximum length",
        "generate 'A prompt of more letters than this model has places.'",
    ),
    Wrong("two prompts", "generate 'The film' was"),
    Wrong("an unknown device", "generate --device gpu"),
    Wrong("a model that is not causal", "generate --model bert"),
    Wrong("an unknown model", "generate --model ./no/such"),
    Wrong(
        "an end token that is not a number",
        "generate",
        json_with("qwen3/generation_config.json", eos_token_id="end"),
    ),
    Wrong("a language model without its weights", "generate", removed("qwen3/model.safetensors")),
    Wrong(
        "a language model with a weight that is not finite",
        "generate",
        weights(
            "qwen3/model.safetensors", "model.norm.weight", lambda weight: weight * float("nan")
        ),
    ),
]
