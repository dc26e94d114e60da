"""What labelled texts are like before anything is trained on them: rows, lengths, duplicates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED, PreflightConfig
from thawline.data import Dataset, LabelledTexts, Labels, Text
from thawline.data.labels import shown
from thawline.data.lengths import Tokenization, count_tokens, describe_lengths
from thawline.data.preflight.duplicates import Duplicates
from thawline.data.preflight.near import find_near
from thawline.data.sources.parts import SPLITS
from thawline.data.texts import is_blank, one_line, one_string
from thawline.runtime.progress import Reporter


def survey(
    dataset: Dataset,
    tokenization: Tokenization,
    settings: PreflightConfig,
    reporter: Reporter,
    *,
    quick: bool = False,
    against: Sequence[Text] | None = None,
) -> dict[str, Any]:
    """Look at the splits of a set.

    Args:
        dataset: the set.
        tokenization: how its texts become tokens.
        settings: what is looked at.
        reporter: told of progress.
        quick: take no longer than a second or two: leave near duplicates out, and count the
            tokens of ``settings.sample`` rows of each split.
        against: texts that are looked for in each split.

    Returns:
        JSON values: ``splits`` and, over all of them, ``all``, each with ``rows``, ``classes``,
        ``imbalance``, ``empty``, ``tokens``, ``truncated`` (a share) and ``lengths_of`` (the rows
        whose tokens were counted); ``duplicates``, ``exact`` and ``near`` (None where they were
        left out), each ``within`` and ``across`` splits; ``leakage``, the test texts that stand
        in train or validation; ``against``, how many ``texts`` that is, how many of them are
        ``distinct``, and how many of these are ``in`` each split; ``findings``, a line each;
        ``seconds``.
    """
    start = time.perf_counter()
    splits: dict[str, LabelledTexts] = {name: getattr(dataset, name) for name in SPLITS}
    lengths = _measure(splits, tokenization, settings.sample if quick else None, reporter)
    measured = time.perf_counter()
    duplicates = Duplicates(splits, dataset.labels, settings)
    found = _find_duplicates(duplicates, settings, reporter, quick=quick)
    described = {
        name: _describe(split, dataset.labels)
        | describe_lengths(lengths[name], tokenization.max_length)
        | {"source": split.source, "shown": _shown_rows(split, dataset.labels, settings)}
        for name, split in splits.items()
    }
    report = {
        "data": dataset.name,
        "max_length": tokenization.max_length,
        "truncation_side": tokenization.truncation_side,
        "splits": described,
        "all": _describe_all(described, lengths, tokenization.max_length),
        **found,
        "against": None if against is None else _look_for(against, duplicates),
    }
    end = time.perf_counter()
    seconds = {"tokens": measured - start, "duplicates": end - measured, "total": end - start}
    return report | {"findings": _findings(report, settings), "seconds": seconds}


def _measure(
    splits: Mapping[str, LabelledTexts],
    tokenization: Tokenization,
    sample: int | None,
    reporter: Reporter,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the tokens of the texts of each split, or of that many drawn from it."""
    drawn = {name: _sample(split.texts, sample) for name, split in splits.items()}
    with reporter.task("counting tokens", sum(map(len, drawn.values()))) as advance:
        return {name: count_tokens(texts, tokenization, advance) for name, texts in drawn.items()}


def _sample(texts: Sequence[Text], rows: int | None) -> Sequence[Text]:
    if rows is None or len(texts) <= rows:
        return texts
    drawn = np.random.default_rng(ROW_SEED).choice(len(texts), rows, replace=False)
    return [texts[row] for row in np.sort(drawn)]


def _describe(split: LabelledTexts, labels: Labels) -> dict[str, Any]:
    counts = np.bincount(split.labels, minlength=len(labels)).tolist()
    return {
        "rows": len(split),
        "classes": dict(zip(labels.names, counts, strict=True)),
        "imbalance": _imbalance(counts),
        "empty": sum(map(is_blank, split.texts)),
    }


def _describe_all(
    described: Mapping[str, Mapping[str, Any]],
    lengths: Mapping[str, npt.NDArray[np.int64]],
    max_length: int,
) -> dict[str, Any]:
    """Describe all splits as one; a text drawn from many counts for as many as it stands for."""
    parts = described.values()
    classes = {
        label: sum(part["classes"][label] for part in parts)
        for label in described["train"]["classes"]
    }
    weights = [
        np.full(len(lengths[name]), part["rows"] / max(1, len(lengths[name])))
        for name, part in described.items()
    ]
    every_length = np.concatenate([lengths[name] for name in described])
    return {
        "rows": sum(part["rows"] for part in parts),
        "classes": classes,
        "imbalance": _imbalance(list(classes.values())),
        "empty": sum(part["empty"] for part in parts),
        **describe_lengths(every_length, max_length, np.concatenate(weights)),
    }


def _imbalance(counts: Sequence[int]) -> float | None:
    """Return how many rows the largest class has for one of the smallest that has any."""
    some = [count for count in counts if count]
    return max(some) / min(some) if some else None


def _shown_rows(
    split: LabelledTexts, labels: Labels, settings: PreflightConfig
) -> list[dict[str, Any]]:
    """Return some rows drawn at random, of different classes as long as there are any."""
    order = np.random.default_rng(ROW_SEED).permutation(len(split))
    firsts = np.sort(np.unique(split.labels[order], return_index=True)[1])
    rest = np.setdiff1d(np.arange(len(order)), firsts)
    return [
        {
            "row": int(split.rows[position]),
            "label": labels.names[split.labels[position]],
            "text": one_line(split.texts[position], settings.shown_characters),
        }
        for position in order[np.concatenate([firsts, rest])[: settings.shown_rows]]
    ]


def _find_duplicates(
    duplicates: Duplicates, settings: PreflightConfig, reporter: Reporter, *, quick: bool
) -> dict[str, Any]:
    everything_learned_from = ("train", "validation")
    exact = _within_and_across(duplicates.exact)
    leakage = duplicates.exact("test", everything_learned_from)
    near = near_leakage = None
    if not quick:
        with reporter.task("comparing texts", len(duplicates.texts)) as advance:
            pairs = find_near(duplicates.texts, duplicates.rows > 0, settings, advance)
        near = _within_and_across(lambda *where: duplicates.near(pairs, *where))
        near_leakage = duplicates.near(pairs, "test", everything_learned_from)
    return {
        "duplicates": {"exact": exact, "near": near, "conflicting": duplicates.conflicting},
        "leakage": {"exact": leakage, "near": near_leakage},
    }


def _within_and_across(describe: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Describe what each split shares with itself and with those before it."""
    return {
        "within": {name: describe(name) for name in SPLITS},
        "across": [
            {"splits": [earlier, later], **describe(later, (earlier,))}
            for place, later in enumerate(SPLITS)
            for earlier in SPLITS[:place]
        ],
    }


def _look_for(texts: Sequence[Text], duplicates: Duplicates) -> dict[str, Any]:
    distinct = {one_string(text) for text in texts}
    found = duplicates.shared_with(distinct)
    return {"texts": len(texts), "distinct": len(distinct), "in": found}


def _findings(report: Mapping[str, Any], settings: PreflightConfig) -> list[str]:
    """Return what the user should know before training, a line each."""
    conflicting = report["duplicates"]["conflicting"]
    return [
        *_leakage_findings(report),
        *([f"labels: {_texts(conflicting)} with more than one"] if conflicting else []),
        *(
            line
            for name, part in report["splits"].items()
            for line in _split_findings(name, part, report, settings)
        ),
    ]


def _texts(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}text{'' if number == 1 else 's'}"


def _leakage_findings(report: Mapping[str, Any]) -> Iterator[str]:
    exact, near = report["leakage"]["exact"], report["leakage"]["near"]
    holders, against = "train and validation hold", report["against"]
    if exact["texts"]:
        other = f" ({exact['conflicting']:,} with another label)" if exact["conflicting"] else ""
        yield f"leakage: {holders} {_texts(exact['texts'], 'test ')}{other}"
    if near is not None and near["texts"]:
        yield f"leakage: {holders} near duplicates of {_texts(near['texts'], 'other test ')}"
    for name in ("validation", "test"):
        if against is not None and against["in"][name]:
            yield f"leakage: {name} holds {_texts(against['in'][name])} of those compared with"


def _split_findings(
    name: str, part: Mapping[str, Any], report: Mapping[str, Any], settings: PreflightConfig
) -> Iterator[str]:
    present = {label: rows for label, rows in part["classes"].items() if rows}
    if missing := [label for label in part["classes"] if label not in present]:
        yield f"classes: {name} has no row of {shown(missing)}"
    if name == "train" and part["imbalance"] > settings.imbalance:
        largest, smallest = (pick(present, key=present.__getitem__) for pick in (max, min))
        times = f"{part['imbalance']:.1f} times as many rows"
        yield f"imbalance: train has {times} of {largest} as of {smallest}"
    if part["empty"]:
        yield f"empty: {_texts(part['empty'])} of {name}, kept as any other"
    if part["truncated"] is not None and part["truncated"] > settings.truncated:
        share = f"{100 * part['truncated']:.0f} % of {name} texts"
        about = "about " if part["lengths_of"] < part["rows"] else ""
        lost = "end" if report["truncation_side"] == "right" else "start"
        yield f"length: {about}{share} lose their {lost} at {report['max_length']:,} tokens"
