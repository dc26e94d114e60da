"""Report the results of `benchmarks.originals`: tables for the tutorial pages, and pictures.

This module has no command of its own. A page marks the place of a table by two comments, for
example ``<!-- table: distilbert_head small -->`` and ``<!-- end of table -->``, and everything
between them is written from the results.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import transfer_report
from benchmarks.transfer_report import ALL
from thawline.evaluation.intervals import wilson

Result = dict[str, Any]

CLAIMS = {
    "distilbert_head": 0.85,
    "distilbert_last_block": 0.895,
    "distilbert_lora": 0.879,
}
"""The test accuracy that the chart of each original shows, for DistilBERT on 2,000 reviews."""

CLAIMED_ROWS = 2_000
"""The number of test reviews of the originals."""

TRANSFER = Path(__file__).with_name("transfer.json")
"""The results of `benchmarks.transfer`, which measures the fourth tutorial."""

SYSTEMS = {
    "random": "encoder from scratch, random vectors",
    "glove": "encoder from scratch, GloVe's vectors",
    "full": "transferred, whole model",
    "head": "transferred, final layer, 2 epochs",
    "exact": "transferred, final layer, exact",
}
"""The systems of the fourth tutorial in the order of the table."""

LONG = "tokens.max_length=512"
"""The setting of a system that was also measured with twice as many tokens."""

_PLACE = re.compile(r"(<!-- table: ([\w ]+) -->\n)(.*?)(<!-- end of table -->)", re.DOTALL)

SHORT = {
    "as in the tutorial: native head, 3 epochs": "head, native",
    "native head, 3 epochs at 3e-2": "head, native at 3e-2",
    "linear head, mean of the tokens, 3 epochs": "head, by epochs",
    "linear head, exact, stage chosen on validation": "head, exact",
    "linear head on all stages, exact": "head, all stages",
    "as in the tutorial: native head, 3 epochs at 2e-5": "last block at 2e-5",
    "native head, 3 epochs at 1e-3": "last block at 1e-3",
    "linear head, mean of the tokens, 3 epochs at 1e-3": "last block, linear head",
    "native head, 3 epochs at 2e-3, right truncation": "LoRA, native head",
    "4 epochs": "LoRA, 4 epochs",
    "10 epochs with patience 3": "LoRA, 10 epochs",
}
"""The names of jobs in the pictures."""

RATES = {
    "as in the tutorial: native head, 3 epochs at 2e-5": "2e-5, native head",
    "native head, 3 epochs at 1e-3": "1e-3, native head",
    "linear head, mean of the tokens, 3 epochs at 1e-3": "1e-3, linear head",
}
"""The jobs of the picture of learning rates, with their names there."""


def update(folder: Path, results: Sequence[Result]) -> list[Path]:
    """Write the tables of all pages in a folder, and return the pages that have tables.

    Args:
        folder: The folder of the pages.
        results: The results.
    """
    pages = [page for page in sorted(folder.glob("*.md")) if _PLACE.search(_read(page))]
    for page in pages:
        page.write_text(filled(_read(page), results), encoding="utf-8")
    return pages


def filled(text: str, results: Sequence[Result]) -> str:
    """Return the text of a page with its tables written from the results."""

    def write(place: re.Match[str]) -> str:
        start, name, _, end = place.groups()
        return f"{start}\n{named_table(name, results)}\n\n{end}"

    return _PLACE.sub(write, text)


def named_table(name: str, results: Sequence[Result]) -> str:
    """Return a table by the name that a page gives it: ``ORIGINAL small|whole|epochs``."""
    original, kind = name.split()
    if original == "glove_transfer":
        return transfer_table()
    if kind == "epochs":
        return epochs(results, original)
    found = [result for result in results if is_whole(result) == (kind == "whole")]
    return table(original, found)


def is_whole(result: Result) -> bool:
    """Return whether a result is that of the whole data set."""
    return "--limit" not in result["command"].split()


def table(original: str, results: Sequence[Result]) -> str:
    """Return the results of an original as a Markdown table.

    Args:
        original: The folder of the example.
        results: The results of any originals.
    """
    lines = [
        "| job | test accuracy (95 % interval) | macro F1 | parameters trained | seconds |",
        "|---|---|---|---|---|",
    ]
    if original in CLAIMS:
        low, high = (
            100 * end for end in wilson(round(CLAIMS[original] * CLAIMED_ROWS), CLAIMED_ROWS)
        )
        claim = f"{100 * CLAIMS[original]:.1f} % ({low:.1f} to {high:.1f})"
        lines.append(f"| the original's chart, with DistilBERT | {claim} | | | |")
    for result in results:
        if result["original"] != original:
            continue
        record = result["record"]
        seconds = f"{record['cost']['seconds']:,.0f}" if record["cost"] else ""
        lines.append(
            f"| {result['name']} | {interval(record['test']['accuracy'])} "
            f"| {record['test']['f1_macro']['value']:.1%} "
            f"| {record['parameters']['trainable']:,} | {seconds} |".replace("%", " %")
        )
    return "\n".join(lines)


def interval(score: dict[str, float]) -> str:
    """Return a share in percent with its interval."""
    return f"{score['value']:.1%} ({100 * score['low']:.1f} to {100 * score['high']:.1f})"


def epochs(results: Sequence[Result], original: str) -> str:
    """Return the epochs of the last job of an original that trained by epochs, as a table."""
    record = [result["record"] for result in results if result["original"] == original][-1]
    lines = ["| epoch | train loss | validation loss | validation accuracy |", "|---|---|---|---|"]
    for row in record["history"]:
        loss = "" if row["train_loss"] is None else f"{row['train_loss']:.3f}"
        kept = ", kept" if row["kept"] else ""
        lines.append(
            f"| {row['epoch']}{kept} | {loss} | {row['validation_loss']:.3f} "
            f"| {100 * row['validation_accuracy']:.1f} % |"
        )
    return "\n".join(lines)


def transfer_table() -> str:
    """Return the systems on all rows of IMDb as a table, from the results of the transfer.

    Test and validation accuracies are means over the seeds. The interval is that of the mean over
    the seeds, or with one seed that of the test rows.
    """
    results = json.loads(_read(TRANSFER))["results"]
    lines = [
        "| job | test accuracy (95 % interval) | validation accuracy | parameters trained |",
        "|---|---|---|---|",
    ]
    kinds = [(system, False) for system in SYSTEMS] + [("glove", True)]
    for system, long in kinds:
        seeds = [
            result
            for result in results
            if (result["system"], result.get("train_rows")) == (system, ALL)
            and (LONG in result["command"]) == long
        ]
        name = SYSTEMS[system] + (", 512 tokens" if long else "")
        test = mean(transfer_report.accuracy_of(result) for result in seeds)
        low, high = transfer_report.interval(seeds)
        records = [result["record"] for result in seeds]
        validation = mean(record["validation"]["accuracy"]["value"] for record in records)
        trained = records[0]["parameters"]["trainable"]
        lines.append(
            f"| {name} | {100 * test:.1f} % ({100 * low:.1f} to {100 * high:.1f}) "
            f"| {100 * validation:.1f} % | {trained:,} |"
        )
    return "\n".join(lines)


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw accuracy against trained parameters, and the last block at two learning rates.

    Parameters do not depend on the load of the machine, and every job has them.

    Args:
        results: The results. Only those of the small run, of the tutorials on DistilBERT, are used.
        folder: The folder of the pictures.

    Returns:
        The paths of the pictures.
    """
    from thawline.report.lines import Line, draw_lines
    from thawline.report.tradeoff import Candidate, draw_tradeoff
    from thawline.runs.records import Score

    small = [result for result in results if result["name"] in SHORT and not is_whole(result)]
    of_standin = [result for result in small if result["original"] != "qwen3_from_scratch"]
    points = [
        Candidate(
            SHORT[result["name"]],
            Score(**result["record"]["test"]["accuracy"]),
            float(result["record"]["parameters"]["trainable"]),
        )
        for result in of_standin
    ]
    curves = [
        Line(
            RATES[result["name"]],
            [row["epoch"] for row in result["record"]["history"]],
            [row["validation_accuracy"] for row in result["record"]["history"]],
        )
        for result in of_standin
        if result["name"] in RATES
    ]
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        draw_tradeoff(
            points,
            "parameters",
            place,
            title="imdb: the tutorials on DistilBERT, with MiniLM",
            subtitle="whiskers: 95 % intervals over 2,000 test reviews",
        )
        draw_lines(
            curves,
            place,
            "rates",
            title="imdb: the last block at two learning rates",
            subtitle="Validation accuracy; 3,600 train and 400 validation reviews",
            x_label="epoch (0: before training)",
        )
        folder.mkdir(parents=True, exist_ok=True)
        return [
            shutil.copyfile(place / f"{name}.png", folder / f"originals_{name}.png")
            for name in ("tradeoff", "rates")
        ]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
