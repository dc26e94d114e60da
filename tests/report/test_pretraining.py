"""What a pretraining prints."""

from __future__ import annotations

from pathlib import Path

from thawline.report.pretraining import print_pretraining

RECORD = {
    "kept": {
        "validation_bits_per_byte": 1.39974,
        "validation_loss": 4.3612,
        "validation_perplexity": 78.35,
        "validation_accuracy": 0.26217,
    },
    "saved": {"validation_bits_per_byte": 1.39979},
    "tokenizer": {"size": 32_768, "held_out_tokens": 218_435, "tokens_per_text": 291.07},
    "corpus": {"counts": {"train": 72_931, "held_out": 737}},
    "tokens": 638_976_000,
    "steps": 19_500,
    "parameters": 4_932_672,
    "block_parameters": 738_368,
    "seconds": {"total": 1_234.56, "vocabulary": 9.3, "tokenising": 11.4, "training": 505.06},
    "tokens_per_second": 1_265_158.7,
    "peak_memory_bytes": 2_345_600_000,
    "plots": ["/there/runs/[a] b/history.png", "/there/runs/[a] b/history.svg"],
}


def test_it_prints_scores_costs_and_places(capsys):
    folder = Path("runs") / "[a] b"
    print_pretraining(RECORD, folder)
    assert (
        capsys.readouterr().out
        == f"""
737 held-out texts, 218,435 tokens

bits per byte  1.3997
loss           4.3612 nats a token, perplexity 78.3
foretold       26.2 % of next tokens
as saved       1.3998 bits per byte in float16

learnt from    72,931 texts of 291 tokens, 638,976,000 tokens in 19,500 steps
parameters     4,932,672, of them 738,368 in the blocks; vocabulary 32,768
seconds        1,234.6 in all: vocabulary 9.3, tokenising 11.4, training 505.1 (1,265,159 tokens/s)
memory         2,346 MB at the peak

model          {folder / "model"}
plots          history.png, history.svg in {folder}
next           thawline fit --backbone '{folder / "model"}' --data …
"""
    )


def test_of_a_run_that_went_on_only_the_training_is_told_in_all(capsys):
    seconds = RECORD["seconds"] | {"total": 12.34}
    print_pretraining(RECORD | {"resumed": ["today"], "seconds": seconds}, Path("run"))
    assert (
        "\nseconds        12.3 since it went on; training 505.1 in all (1,265,159 tokens/s)\n"
        in capsys.readouterr().out
    )
