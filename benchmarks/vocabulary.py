"""How many tokens a vocabulary should have: what each size costs, and what it gains.

Run it from the repository's root, in the environment of ``make install``; the texts are those that
``thawline pretrain`` would learn from, and ``--run`` names its finished runs, one for a size::

    python -m benchmarks.vocabulary --data imdb --sizes 8192 16384 32768 \
        --run 8192=runs/v8 --run 32768=runs/v32 --json vocabulary.json

For each size a tokenizer is learnt from the texts of train, or read from the run of that size.
What it makes of texts is measured on the held-out ones, which it has not seen. Bits per byte are
those of the runs, on their held-out texts: only runs of the same corpus, and of the same tokens or
the same seconds, can be compared, so both stand in the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from benchmarks.learning_rates import machine
from thawline.config import PretrainConfig
from thawline.config.resolve import resolve_config
from thawline.pretraining.corpus import Corpus, n_bytes, read_corpus
from thawline.pretraining.model import new_model
from thawline.pretraining.vocabulary import as_read, train_tokenizer

Row = dict[str, Any]

SIZES = (8_192, 16_384, 32_768)


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the arguments; ``words`` are those of the command line unless given."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="SET", help="what to learn from")
    add("--without", nargs="+", default=[], metavar="SET", help="texts to leave out")
    add("--sizes", nargs="+", type=int, default=list(SIZES), help="of the vocabulary")
    add("--run", action="append", default=[], type=sized, metavar="SIZE=RUN", help="a finished run")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of `pretrain`")
    add("--json", type=Path, metavar="FILE", help="write the table's rows there")
    return parser.parse_args(words)


def sized(written: str) -> tuple[int, Path]:
    """Return the size and the folder of ``8192=runs/v8``."""
    size, equals, folder = written.partition("=")
    if not (size.isdecimal() and equals and folder):
        raise argparse.ArgumentTypeError(f"expected SIZE=RUN, found {written!r}")
    return int(size), Path(folder)


def configured(arguments: argparse.Namespace) -> PretrainConfig:
    """Return the config that the arguments make."""
    config = resolve_config(overrides=arguments.set, config_type=PretrainConfig)
    data, without = tuple(arguments.data), tuple(arguments.without)
    return replace(config, corpus=replace(config.corpus, data=data, without=without))


def tokenizer_of(
    config: PretrainConfig, corpus: Corpus, run: Path | None
) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a run, or one that is learnt now."""
    if run is None:
        return train_tokenizer(corpus.train, config.vocabulary, config.training.window)
    found: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(run / "tokenizer")
    if len(found) != config.vocabulary.size:
        raise ValueError(f"{run} has {len(found)} tokens, not {config.vocabulary.size}")
    return found


def parameters(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Return how many parameters the model has, and how many of them are embeddings."""
    with torch.device("meta"):
        model = new_model(config.architecture, tokenizer, config.training.window, config.seed)
    embeddings = model.get_input_embeddings().weight.numel()
    return {
        "parameters": model.num_parameters(),
        "embeddings": embeddings,
        "blocks": model.num_parameters() - embeddings,
    }


def lengths(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, window: int
) -> dict[str, float]:
    """Return what a tokenizer makes of texts.

    Returns:
        ``tokens_per_text``, the one that begins a text counted; ``bytes_per_token``, of the text's
        own; ``fitting``, the share of texts that the model takes whole.
    """
    encoder = tokenizer.backend_tokenizer
    encoder.no_truncation()
    counts = [len(one.ids) for one in encoder.encode_batch_fast(list(texts))]
    spelt = n_bytes(as_read(tokenizer, text) for text in texts)
    return {
        "tokens_per_text": mean(counts),
        "bytes_per_token": spelt / (sum(counts) - len(counts)),
        "fitting": mean(count <= window for count in counts),
    }


def from_run(run: Path | None) -> Row:
    """Return what the record of a finished run says of its model; nothing where there is none."""
    if run is None:
        return {}
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    if record["status"] != "finished":
        raise ValueError(f"{run} is {record['status']}, not finished")
    return {
        "bits_per_byte": record["kept"]["validation_bits_per_byte"],
        "tokens_learnt": record["tokens"],
        "training_seconds": record["seconds"]["training"],
        "corpus": record["corpus"]["sha256"],
    }


def measure(config: PretrainConfig, corpus: Corpus, size: int, run: Path | None) -> Row:
    """Return a row of the table."""
    config = replace(config, vocabulary=replace(config.vocabulary, size=size))
    start = time.perf_counter()
    tokenizer = tokenizer_of(config, corpus, run)
    return {
        "size": size,
        "tokenizer_seconds": time.perf_counter() - start,
        **parameters(config, tokenizer),
        **lengths(corpus.held_out, tokenizer, config.training.window),
        "texts": len(corpus.held_out),
        **from_run(run),
        **machine(),
    }


def table(rows: Sequence[Mapping[str, Any]], window: int) -> str:
    """Return the rows as Markdown."""
    heads = ("vocabulary", "parameters", "embeddings", "blocks", "tokens a text", "bytes a token",
             f"within {window}", "bits per byte", "tokens learnt", "seconds")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [f"{row[name]:,}" for name in ("size", "parameters", "embeddings", "blocks")]
        cells += [f"{row['tokens_per_text']:,.1f}", f"{row['bytes_per_token']:.2f}"]
        cells += [f"{100 * row['fitting']:.1f} %"]
        measured = (("bits_per_byte", ".4f"), ("tokens_learnt", ",d"), ("training_seconds", ",.0f"))
        cells += [f"{row[name]:{form}}" if name in row else "–" for name, form in measured]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Measure every size and print the table."""
    arguments = parse(words)
    config, runs = configured(arguments), dict(arguments.run)
    corpus = read_corpus(config.corpus)
    rows: list[Row] = []
    for size in sorted({*arguments.sizes, *runs}):
        rows.append(measure(config, corpus, size, runs.get(size)))
        if arguments.json is not None:
            arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if len({row["corpus"] for row in rows if "corpus" in row}) > 1:
        print("the runs learnt from different texts: their bits per byte cannot be compared\n")
    print(table(rows, config.training.window))


if __name__ == "__main__":
    main()
