"""Compare vocabulary sizes: parameters, tokens per text and bits per byte.

Run it from the root of the repository, in the environment of ``make install``::

    python -m benchmarks.vocabulary --data imdb --sizes 8192 16384 32768 \
        --run 8192=runs/v8 --run 32768=runs/v32 --json vocabulary.json

It prints a row for each size: the parameters, the tokens per text, the bytes per token, the share
of texts that fit into the window and, for sizes with a run, the bits per byte.

It needs a corpus as for ``thawline pretrain``, and optionally finished runs of ``thawline
pretrain``, at most one for each size.

For each size, a tokenizer is trained on the train texts, or read from the run of that size. Its
tokens are counted on the held-out texts, on which it was not trained. The bits per byte are those
of the runs on their held-out texts. They can be compared only between runs of the same corpus, with
the same number of tokens or of seconds, so the table shows both numbers.
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
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--data", nargs="+", required=True, metavar="SET", help="Texts to train on")
    add("--without", nargs="+", default=[], metavar="SET", help="Texts to leave out")
    add("--sizes", nargs="+", type=int, default=list(SIZES), help="Vocabulary sizes")
    add(
        "--run",
        action="append",
        default=[],
        type=parse_run,
        metavar="SIZE=RUN",
        help="Finished run of a size",
    )
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="Setting of `pretrain`")
    add("--json", type=Path, metavar="FILE", help="File for the results")
    return parser.parse_args(words)


def parse_run(written: str) -> tuple[int, Path]:
    """Return the size and the folder in ``8192=runs/v8``."""
    size, equals, folder = written.partition("=")
    if not (size.isdecimal() and equals and folder):
        raise argparse.ArgumentTypeError(f"expected SIZE=RUN; found {written!r}")
    return int(size), Path(folder)


def configured(arguments: argparse.Namespace) -> PretrainConfig:
    """Return the config of the pretraining."""
    config = resolve_config(overrides=arguments.set, config_type=PretrainConfig)
    data, without = tuple(arguments.data), tuple(arguments.without)
    return replace(config, corpus=replace(config.corpus, data=data, without=without))


def tokenizer_of(
    config: PretrainConfig, corpus: Corpus, run: Path | None
) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a run, or train one if the run is None.

    Raises:
        ValueError: If the tokenizer of the run has another size.
    """
    if run is None:
        return train_tokenizer(corpus.train, config.vocabulary, config.training.window)
    found: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(run / "tokenizer")
    if len(found) != config.vocabulary.size:
        raise ValueError(f"the run {run} has {len(found)} tokens, not {config.vocabulary.size}")
    return found


def parameters(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """Return the number of parameters of the model, of its embeddings and of its blocks."""
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
    """Return the mean lengths of texts in tokens of a tokenizer.

    Returns:
        ``tokens_per_text``, including bos; ``bytes_per_token``, excluding bos; and ``fitting``, the
        share of texts that are not longer than the window.
    """
    encoder = tokenizer.backend_tokenizer
    encoder.no_truncation()
    counts = [len(one.ids) for one in encoder.encode_batch_fast(list(texts))]
    size = n_bytes(as_read(tokenizer, text) for text in texts)
    return {
        "tokens_per_text": mean(counts),
        "bytes_per_token": size / (sum(counts) - len(counts)),
        "fitting": mean(count <= window for count in counts),
    }


def from_run(run: Path | None) -> Row:
    """Return the results in the record of a run, or no values if the run is None.

    Raises:
        ValueError: If the run is not finished.
    """
    if run is None:
        return {}
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    if record["status"] != "finished":
        raise ValueError(f"the run {run} is {record['status']}, not finished")
    return {
        "bits_per_byte": record["kept"]["validation_bits_per_byte"],
        "tokens_learnt": record["tokens"],
        "training_seconds": record["seconds"]["training"],
        "corpus": record["corpus"]["sha256"],
    }


def measure(config: PretrainConfig, corpus: Corpus, size: int, run: Path | None) -> Row:
    """Measure one size and return its row."""
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
    """Return the rows as a Markdown table."""
    heads = ("vocabulary", "parameters", "embeddings", "blocks", "tokens a text", "bytes a token",
             f"within {window}", "bits per byte", "training tokens", "seconds")  # fmt: skip
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
        print("The runs have different corpora, so their bits per byte cannot be compared.\n")
    print(table(rows, config.training.window))


if __name__ == "__main__":
    main()
