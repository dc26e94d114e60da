"""Inspect labelled texts before training: rows, lengths and duplicates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from thawline.config import ROW_SEED, PreflightConfig
from thawline.data import Dataset, LabelledTexts, Labels, Text
from thawline.data.dataset import VALIDATION_IN_TRAIN
from thawline.data.labels import join_words, similar_classes, spelling_warnings
from thawline.data.lengths import Tokenization, WordCount, count_tokens, describe_lengths
from thawline.data.preflight.duplicates import Duplicates
from thawline.data.preflight.near_duplicates import find_near_duplicates
from thawline.data.sources.parts import SPLITS
from thawline.data.spelling import is_missing_marker
from thawline.data.texts import is_blank, one_line
from thawline.runs.records.data import Survey, SurveySeconds
from thawline.runtime.progress import Reporter


def inspect_dataset(
    dataset: Dataset,
    tokenization: Tokenization | WordCount,
    settings: PreflightConfig,
    reporter: Reporter,
    *,
    quick: bool = False,
    against: Sequence[Text] | None = None,
) -> Survey:
    """Inspect the splits of a data set.

    Args:
        dataset: The data set.
        tokenization: How its texts are tokenized, or `WordCount`.
        settings: The thresholds and the sizes of samples.
        reporter: Receives the progress.
        quick: Whether to finish in about two seconds. If True, near duplicates are not searched,
            and only the tokens of ``settings.sample`` rows of each split are counted.
        against: Texts to search for in each split. None if there are none.

    Returns:
        The statistics of the splits, the duplicates, the leakage, and the findings for the user.
    """
    start = time.perf_counter()
    splits: dict[str, LabelledTexts] = {name: getattr(dataset, name) for name in SPLITS}
    lengths = _count_tokens(splits, tokenization, settings.sample if quick else None, reporter)
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
        "similar_labels": [
            [dataset.labels.names[i] for i in group] for group in similar_classes(dataset.labels)
        ],
        "all": _describe_all(described, lengths, tokenization.max_length),
        **found,
        "against": None if against is None else _count_shared(against, duplicates),
    }
    end = time.perf_counter()
    seconds = SurveySeconds(tokens=measured - start, duplicates=end - measured, total=end - start)
    findings = [
        *_findings(report, dataset.labels, settings, _copied_on_purpose(dataset)),
        *(line for name, split in splits.items() for line in _marker_findings(name, split)),
    ]
    return Survey(**report, findings=findings, seconds=seconds)


def _count_tokens(
    splits: Mapping[str, LabelledTexts],
    tokenization: Tokenization | WordCount,
    sample: int | None,
    reporter: Reporter,
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the number of tokens of each text of each split, or of a random sample of each."""
    sampled = {name: _sample(split.texts, sample) for name, split in splits.items()}
    with reporter.task("counting tokens", sum(map(len, sampled.values()))) as advance:
        return {name: count_tokens(texts, tokenization, advance) for name, texts in sampled.items()}


def _sample(texts: Sequence[Text], rows: int | None) -> Sequence[Text]:
    if rows is None or len(texts) <= rows:
        return texts
    chosen = np.random.default_rng(ROW_SEED).choice(len(texts), rows, replace=False)
    return [texts[row] for row in np.sort(chosen)]


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
    max_length: int | None,
) -> dict[str, Any]:
    """Describe all splits together; each sampled text is weighted by the rows it represents."""
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
    """Return the ratio of the largest class to the smallest one, ignoring classes without rows."""
    present = [count for count in counts if count]
    return max(present) / min(present) if present else None


def _shown_rows(
    split: LabelledTexts, labels: Labels, settings: PreflightConfig
) -> list[dict[str, Any]]:
    """Return a few random rows, at first one row of each class."""
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
    before_test = ("train", "validation")
    exact = _within_and_across(duplicates.describe_exact)
    leakage = duplicates.describe_exact("test", before_test)
    near = near_leakage = None
    if not quick:
        with reporter.task("comparing texts", len(duplicates.texts)) as advance:
            pairs = find_near_duplicates(duplicates.texts, duplicates.rows > 0, settings, advance)
        near = _within_and_across(lambda *splits: duplicates.describe_near(pairs, *splits))
        near_leakage = duplicates.describe_near(pairs, "test", before_test)
    return {
        "duplicates": {"exact": exact, "near": near, "conflicting": duplicates.conflicting},
        "leakage": {
            "exact": leakage,
            "near": near_leakage,
            "copies": [
                duplicates.count_shared("validation", ("train",)),
                duplicates.count_shared("test", before_test),
            ],
        },
    }


def _within_and_across(describe: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Describe the copies within each split, and between each split and every earlier one."""
    return {
        "within": {name: describe(name) for name in SPLITS},
        "across": [
            {"splits": [earlier, later], **describe(later, (earlier,))}
            for place, later in enumerate(SPLITS)
            for earlier in SPLITS[:place]
        ],
    }


def _count_shared(texts: Sequence[Text], duplicates: Duplicates) -> dict[str, Any]:
    distinct = set(texts)
    found = duplicates.shared_with(distinct)
    return {"texts": len(texts), "distinct": len(distinct), "in": found}


def _copied_on_purpose(dataset: Dataset) -> tuple[str, ...]:
    """Return the splits whose rows were added to train on purpose, which is no leakage."""
    return ("validation",) if VALIDATION_IN_TRAIN in dataset.warnings else ()


def _findings(
    report: Mapping[str, Any], labels: Labels, settings: PreflightConfig, copied: Sequence[str]
) -> list[str]:
    """Return what the user should know before training, one sentence for each finding.

    Args:
        report: The statistics of the splits, the duplicates and the leakage.
        labels: The classes.
        settings: The thresholds.
        copied: The splits whose rows are also in train on purpose.
    """
    conflicting = report["duplicates"]["conflicting"]
    return [
        *_leakage_findings(report, copied),
        *(f"labels: {line}" for line in spelling_warnings(labels, report["all"]["classes"])),
        *([f"labels: {_occurrences(conflicting)} with more than one label"] if conflicting else []),
        *(
            line
            for name, part in report["splits"].items()
            for line in _split_findings(name, part, report, settings)
        ),
    ]


def _occurrences(number: int, kind: str = "text", verb: str = "occur") -> str:
    """Return "1 text occurs" or "2 texts occur"."""
    return f"{number:,} {kind} {verb}s" if number == 1 else f"{number:,} {kind}s {verb}"


def _leakage_findings(report: Mapping[str, Any], copied: Sequence[str]) -> Iterator[str]:
    near, against = report["leakage"]["near"], report["against"]
    for shared in report["leakage"]["copies"]:
        split, others = shared["split"], " or ".join(shared["others"])
        if split in copied:
            continue
        advice = f"the scores on {split} may be too high: remove these texts from one split"
        if shared["texts"]:
            found = _occurrences(shared["texts"], f"{split} text", "also occur")
            yield f"leakage: {found} in {others}{_details(shared)}; {advice}"
        if shared["swapped"]:
            found = _occurrences(shared["swapped"], f"{split} pair", "occur")
            yield f"leakage: {found} in {others} with the two texts swapped; {advice}"
    if near is not None and near["texts"]:
        found = _occurrences(near["texts"], "other test text", "resemble")
        yield f"leakage: {found} a text of train or validation"
    for name in ("validation", "test"):
        if against is not None and against["in"][name]:
            found = _occurrences(against["in"][name], f"{name} text", "also occur")
            yield f"leakage: {found} in the texts to compare with"


def _details(shared: Mapping[str, Any]) -> str:
    """Return in brackets how many of the copies differ from the text or have another label."""
    variants = shared["texts"] - shared["exact"]
    details = [
        *([f"{variants:,} in other case or white space"] if variants else []),
        *([f"{shared['conflicting']:,} with another label"] if shared["conflicting"] else []),
    ]
    return f" ({', '.join(details)})" if details else ""


def _marker_findings(name: str, split: LabelledTexts) -> Iterator[str]:
    """Report texts such as nan, which programs write for a missing value."""
    found = [text for text in split.texts if isinstance(text, str) and is_missing_marker(text)]
    if found:
        texts = "text consists" if len(found) == 1 else "texts consist"
        yield (
            f"missing: {len(found):,} {name} {texts} of a word such as {found[0].strip()!r}, which "
            "programs write for a missing value; remove these rows if the texts are missing"
        )


def _split_findings(
    name: str, part: Mapping[str, Any], report: Mapping[str, Any], settings: PreflightConfig
) -> Iterator[str]:
    present = {label: rows for label, rows in part["classes"].items() if rows}
    if missing := [label for label in part["classes"] if label not in present]:
        yield f"classes: {name} has no rows labelled {join_words(missing)}"
    if name == "train" and part["imbalance"] > settings.imbalance:
        largest, smallest = (pick(present, key=present.__getitem__) for pick in (max, min))
        times = f"{part['imbalance']:.1f} times as many rows"
        yield f"imbalance: train has {times} of {largest} as of {smallest}"
    if part["empty"]:
        texts = "text, which is" if part["empty"] == 1 else "texts, which are"
        yield f"empty: {name} has {part['empty']:,} empty {texts} kept"
    if part["truncated"] is not None and part["truncated"] > settings.truncated:
        share = f"{100 * part['truncated']:.0f} % of {name} texts"
        about = "about " if part["lengths_of"] < part["rows"] else ""
        lost = "end" if report["truncation_side"] == "right" else "start"
        limit = f"{report['max_length']:,} tokens"
        yield f"length: {about}{share} are longer than {limit} and lose their {lost}"
