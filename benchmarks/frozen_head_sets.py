"""Compare a head on a frozen backbone with TF-IDF and logistic regression, on the same splits.

Run it from the root of the repository, in the environment of ``make install``::

    python benchmarks/frozen_head_sets.py thawline/reviews=neg,pos ag_news --json sets.json

It prints a row for each data set: the rows, and the test accuracy, the macro F1 and the seconds of
both methods.

It needs the data sets, as local copies or from the hub. Label names follow a ``=`` if the labels
are integers without names.

Each `thawline fit` runs in a new process. Both methods choose their settings on the validation
split and use the test split once. TF-IDF has words and pairs of words with logarithmic counts, and
its penalty is chosen from seven values.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from thawline.config import DataConfig
from thawline.data import Dataset, load
from thawline.evaluation import metrics
from thawline.runtime import hardware

Result = dict[str, Any]

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""The values of scikit-learn's ``C``, from the strongest penalty to the weakest."""


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Parse the arguments.

    Args:
        words: The arguments. If None, those of the command line.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "sets", nargs="+", metavar="SET[=NAMES]", help="Data sets: paths, names or hub ids"
    )
    parser.add_argument("--backbone", default="minilm", help="Backbone, as for `thawline fit`")
    parser.add_argument(
        "--limit", metavar="N,M", help="Number of train and test rows. If omitted, all rows"
    )
    parser.add_argument(
        "--json", metavar="FILE", help="File for all results. If omitted, none is written"
    )
    return parser.parse_args(words)


def thawline_command(name: str, names: str, arguments: argparse.Namespace, out: Path) -> list[str]:
    """Return the arguments of the `thawline fit` of one data set."""
    command = ["fit", "--data", name, "--backbone", arguments.backbone, "--strategy", "head"]
    command += ["--labels", names] if names else []
    command += ["--limit", arguments.limit] if arguments.limit else []
    return [*command, "--out", str(out), "--json"]


def fit_frozen(command: list[str]) -> Result:
    """Fit the head in a new process and return its results."""
    start = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-m", "thawline", *command], stdout=subprocess.PIPE, check=True
    )
    record = json.loads(finished.stdout)
    return {
        "accuracy": record["test"]["accuracy"],
        "f1_macro": record["test"]["f1_macro"],
        "process_seconds": time.perf_counter() - start,
        "prefix_seconds": record["seconds"]["prefix"],
        "texts_computed": record["prefix"]["texts"],
        "features": record["features"],
    }


def fit_tfidf(dataset: Dataset) -> Result:
    """Fit logistic regression on TF-IDF features, with the penalty chosen on validation."""
    start = time.perf_counter()
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    train = vectorizer.fit_transform(dataset.train.texts)
    validation = vectorizer.transform(dataset.validation.texts)
    candidates = []
    for penalty in PENALTIES:
        model = LogisticRegression(C=penalty, max_iter=1_000).fit(train, dataset.train.labels)
        shares = model.predict_proba(validation)
        loss = log_loss(dataset.validation.labels, shares, labels=model.classes_)
        candidates.append((loss, penalty, model))
    _, chosen, model = min(candidates, key=lambda candidate: candidate[0])
    logits = model.decision_function(vectorizer.transform(dataset.test.texts))
    seconds = time.perf_counter() - start
    scores = metrics.evaluate(logits, dataset.test.labels, n_classes=len(dataset.labels))
    return {
        "accuracy": scores.accuracy.to_dict(),
        "f1_macro": scores.f1_macro.to_dict(),
        "process_seconds": seconds,
        "C": chosen,
        "features": len(vectorizer.vocabulary_),
    }


def compare(arguments: argparse.Namespace, scratch: Path) -> list[Result]:
    """Run both methods on every data set, one after the other, and print a row for each."""
    results = []
    for number, written in enumerate(arguments.sets):
        name, _, names = written.partition("=")
        limit = None if arguments.limit is None else tuple(map(int, arguments.limit.split(",")))
        labels = tuple(names.split(",")) if names else None
        dataset = load(DataConfig(name, labels=labels, limit=limit))  # type: ignore[arg-type]
        command = thawline_command(name, names, arguments, scratch / str(number))
        result = {
            "set": dataset.name,
            "rows": {part: len(getattr(dataset, part)) for part in ("train", "validation", "test")},
            "classes": list(dataset.labels.names),
            "command": ["thawline", *command[:-3]],
            "thawline": fit_frozen(command),
            "tfidf": fit_tfidf(dataset),
        }
        print_row(result)
        results.append(result)
    return results


def print_row(result: Result) -> None:
    """Print the results of one data set as a row of a Markdown table."""
    rows = result["rows"]
    cells = [result["set"], f"{rows['train'] + rows['validation']:,} / {rows['test']:,}"]
    for side in ("thawline", "tfidf"):
        accuracy = result[side]["accuracy"]
        value, low, high = (100 * accuracy[part] for part in ("value", "low", "high"))
        cells += [f"{value:.2f} % ({low:.1f} to {high:.1f})"]
        cells += [f"{100 * result[side]['f1_macro']['value']:.2f} %"]
        cells += [f"{result[side]['process_seconds']:,.0f}"]
    print(f"| {' | '.join(cells)} |", flush=True)


def main(words: list[str] | None = None) -> None:
    """Run the comparison, print its table and write the results."""
    arguments = parse(words)
    print(
        "| set | train / test | frozen head | macro F1 | seconds "
        "| TF-IDF | macro F1 | seconds |\n|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(prefix="frozen_head_sets_") as scratch:
        results = compare(arguments, Path(scratch))
    if arguments.json is not None:
        described = {
            "date": datetime.now(UTC).date().isoformat(),
            "hardware": hardware.describe_machine(),
            "versions": hardware.versions(),
            "results": results,
        }
        Path(arguments.json).write_text(json.dumps(described, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
