"""Wrong input of ``generate``."""

from __future__ import annotations

from tests.support.breakage import Wrong, removed, weights

GENERATE = [
    Wrong(
        "a temperature below 0",
        "generate --temperature=-1",
        "--temperature to be a number from 0 to 100",
        "-1",
        "mend it, or leave it out for 0.8",
    ),
    Wrong(
        "a temperature that is not a number",
        "generate --temperature hot",
        "--temperature to be a number from 0 to 100",
        '"hot"',
        "mend it, or leave it out for 0.8",
    ),
    Wrong(
        "a share of 0",
        "generate --top-p 0",
        "--top-p to be a number above 0 and at most 1",
        "0",
        "mend it, or leave it out for 0.95",
    ),
    Wrong(
        "a share above 1",
        "generate --top-p 1.5",
        "--top-p to be a number above 0 and at most 1",
        "1.5",
        "mend it, or leave it out for 0.95",
    ),
    Wrong(
        "no token to draw from",
        "generate --top-k 0",
        "--top-k to be a whole number from 1 to 2,147,483,647",
        "0",
        "mend it, or leave it out for 50",
    ),
    Wrong(
        "no token to write",
        "generate --tokens 0",
        "--tokens to be a whole number from 1 to 2,147,483,647",
        "0",
        "mend it, or leave it out for 128",
    ),
    Wrong(
        "a seed below 0",
        "generate --seed=-1",
        "--seed to be a whole number from 0 to 4,294,967,295",
        "-1",
        "mend it, or leave it out for 0",
    ),
    Wrong(
        "several samples that would be the same",
        "generate --temperature 0 --samples 2",
        "one sample at temperature 0, which always writes the same",
        "2 samples",
        "give --samples 1, or a temperature above 0",
    ),
    Wrong(
        "a prompt that leaves no room",
        "generate 'A prompt of more letters than this model has places.'",
        "a prompt of at most 39 tokens, so that 'qwen3' can add to it",
        "53 tokens",
        "shorten the prompt",
    ),
    Wrong(
        "two prompts",
        "generate 'The film' was",
        "no more words after thawline generate",
        "'was'",
        "leave that out; see thawline generate --help",
    ),
    Wrong(
        "a device that there is not",
        "generate --device gpu",
        "a device",
        "'gpu'",
        "did you mean 'cpu'?",
    ),
    Wrong(
        "a model that does not write from left to right",
        "generate --model bert",
        "a causal language model (llama, qwen3) in 'bert'",
        "model type 'bert', whose tokens see those after them",
        "give a language model that writes from left to right",
    ),
    Wrong(
        "no such model",
        "generate --model ./no/such",
        "a backbone's folder, a packaged name (minilm, thawline/qwen3-mini) or a model on the hub",
        "'./no/such', which is no folder here and cannot be a hub id",
        "check the path, or the name and the network (choose from minilm, thawline/qwen3-mini)",
    ),
    Wrong(
        "a language model without its weights",
        "generate",
        "a whole model (config.json, model.safetensors, tokenizer.json) in 'qwen3'",
        "no model.safetensors",
        "save the model and its tokenizer there with save_pretrained",
        removed("qwen3/model.safetensors"),
    ),
    Wrong(
        "a language model with a weight that is not finite",
        "generate",
        "finite weights in 'qwen3'",
        "nan or infinity in model.norm.weight",
        "fetch the model again",
        weights(
            "qwen3/model.safetensors", "model.norm.weight", lambda weight: weight * float("nan")
        ),
    ),
]
