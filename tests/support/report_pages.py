"""Reports on invented jobs, whose texts are usual or hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.records import (
    FIT,
    LABELS,
    MISTAKE,
    SURVEY,
    SURVEYED,
    fit_epoch,
    fit_record,
    ladder_record,
    mean_score,
    pretrain_record,
    rung_record,
    rung_run,
)
from thawline.report.html.comparison import ChosenRun, comparison_page
from thawline.report.html.page import render_page
from thawline.report.html.pretraining import pretraining_page
from thawline.report.html.run import fit_page
from thawline.runs.logits import RunLogits

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}&lt;"
    "$\\frac$\x1b[31m\u202e</style><!--]]>"
)
"""A text that tries to be HTML, an attribute, a template, a formula and an escape sequence."""

HISTORY = [fit_epoch(epoch, kept=epoch == 2) for epoch in range(4)]
BY_EPOCHS = {
    "strategy": "last:1",
    "epochs": 3,
    "lr": 1e-3,
    "choice": [],
    "history": HISTORY,
    "kept": {"epoch": 2, "step": 10, "by": "accuracy", "last": 3, "epochs": 3},
}
TFIDF = {
    "strategy": "tfidf",
    "backbone": None,
    "line": None,
    "pooling": None,
    "max_length": None,
    "features": [],
    "words": {"terms": 42_000, "penalty": 0.01},
    "preflight": SURVEY | {"max_length": None, "truncation_side": None},
    "choice": [
        {"stages": [], "penalty": None, "words_penalty": 0.01, "loss": 0.4, "accuracy": 0.8}
    ],
}


def logits(rows: int = 40) -> RunLogits:
    numbers = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    labels = np.arange(rows, dtype=np.int64) % 2
    none = np.zeros((0, rows, 2), dtype=np.float16)
    return RunLogits(numbers, labels, numbers, labels, none)


def run_page(name: str = "/runs/a run", **changes: Any) -> str:
    return render_page(fit_page(fit_record(**changes), Path(name), logits()))


def rungs() -> list[Any]:
    with_epochs = {"runs": [rung_run(HISTORY)], "epochs": 3}
    return [
        rung_record("head", 0.8, "worse"),
        rung_record("last:1", 0.84, **with_epochs),
        rung_record("full", 0.85, "within", **with_epochs),
    ]


def compared(made: list[Any] | None = None, chosen: bool = True, **changes: Any) -> str:
    record = ladder_record(rungs() if made is None else made, **changes)
    run = ChosenRun(fit_record(**BY_EPOCHS), logits()) if chosen else None
    return render_page(comparison_page(record, Path("a comparison"), run))


def hostile_fit() -> dict[str, Any]:
    """Return a fit in which every text that comes from a user is hostile."""
    labels = [HOSTILE, f"{HOSTILE} 2"]
    surveyed = SURVEYED | {"classes": dict.fromkeys(labels, 2)}
    shown = [{"row": 1, "label": HOSTILE, "text": HOSTILE}]
    place = {"split": "test", "copies": 1, "rows": [1], "labels": [HOSTILE], "text": HOSTILE}
    found = {"texts": 1, "conflicting": 0, "examples": [{"similarity": 1.0, "copies": [place]}]}
    return {
        "labels": LABELS | {"names": labels},
        "strategy": HOSTILE,
        "head": HOSTILE,
        "backbone": {"name": HOSTILE, "sha256": "ab" * 32, "origin": None},
        "data": FIT["data"]
        | {"name": HOSTILE, "notes": [HOSTILE], "text_columns": [HOSTILE], "label_column": HOSTILE},
        "warnings": [HOSTILE],
        "preflight": SURVEY
        | {
            "findings": [HOSTILE],
            "splits": {
                name: {**surveyed, "source": HOSTILE, "shown": shown}
                for name in ("train", "validation", "test")
            },
            "all": surveyed,
            "leakage": {"exact": found, "near": None},
        },
        "mistakes": FIT["mistakes"]
        | {
            "most_confident": [
                MISTAKE | {"text": HOSTILE, "label": HOSTILE, "predicted": HOSTILE},
                MISTAKE | {"text": (HOSTILE, "b")},
            ]
        },
        "samples": [FIT["samples"][0] | {"text": HOSTILE, "label": HOSTILE}],
        "config": {"seed": 0, HOSTILE: HOSTILE},
        "versions": {"thawline": HOSTILE, HOSTILE: HOSTILE},
        "hardware": FIT["hardware"] | {"cpu": HOSTILE, "gpu": HOSTILE, "platform": HOSTILE},
    }


def hostile_comparison() -> str:
    made = [rung_record(HOSTILE, 0.8), rung_record(f"{HOSTILE} 2", 0.84, runs=[rung_run(HISTORY)])]
    record = ladder_record(made)
    changes = {
        "verdict": record.verdict.to_dict() | {"words": HOSTILE},
        "chosen": record.chosen.to_dict() | {"by": HOSTILE, "run": HOSTILE},
        "failed": [{"rung": HOSTILE, "seed": 0, "error": HOSTILE}],
        "left_out": [{"rung": HOSTILE, "predicted": 5.0, "reason": HOSTILE}],
        "data": record.data.to_dict() | {"name": HOSTILE, "notes": [HOSTILE]},
        "config": {"fit": {"data": {"data": HOSTILE}}},
    }
    return compared(made, **changes)


def many_classes(classes: int) -> dict[str, Any]:
    """Return a fit with many classes, of which the last one occurs nowhere."""
    one = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 10}
    nowhere = {"precision": None, "recall": None, "f1": None, "support": 0}
    cells = [[k, k + shift, 5] for k in range(classes - 2) for shift in (0, 1)]
    changes = {"per_class": [*[one] * (classes - 1), nowhere], "confusion": None}
    if classes <= 100:
        matrix = np.zeros((classes, classes), dtype=int)
        for true, predicted, rows in cells:
            matrix[true, predicted] = rows
        changes["confusion"] = matrix.tolist()
    else:
        changes["confusion_cells"] = cells
    names = [f"class {number}" for number in range(classes)]
    sizes = SURVEYED | {"classes": dict.fromkeys(names, 3)}
    return {
        "labels": LABELS | {"names": names, "values": list(range(classes))},
        "test": FIT["test"].to_dict() | changes,
        "preflight": SURVEY
        | {
            "splits": {
                name: {**sizes, "source": name, "shown": []}
                for name in ("train", "validation", "test")
            },
            "all": sizes,
        },
    }


PAGES = {
    "exact fit": lambda: run_page(warnings=["few rows"]),
    "fit by epochs": lambda: run_page(**BY_EPOCHS),
    "words": lambda: run_page(**TFIDF),
    "30 classes": lambda: run_page(**many_classes(30)),
    "120 classes": lambda: run_page(**many_classes(120)),
    "head first": lambda: run_page(
        **BY_EPOCHS, head_first={"choice": [], "history": HISTORY, "store": None}
    ),
    "comparison": compared,
    "comparison with sizes": lambda: compared(curves=CURVES),
    "comparison without its run": lambda: compared(chosen=False),
    "one rung": lambda: compared([single()]),
    "pretraining": lambda: render_page(pretraining_page(pretrain_record(), Path("runs/mini"))),
    "hostile fit": lambda: run_page(f"runs/{HOSTILE}", **hostile_fit()),
    "hostile comparison": hostile_comparison,
}


CURVES = {
    "sizes": [100, 1_000, 4_000],
    "points": [
        {
            "rung": rung,
            "rows": rows,
            "accuracy": mean_score(0.6 + rows / 20_000, spread),
            "f1_macro": mean_score(0.6, spread),
            "seconds": 3.0,
        }
        for rung, spread in (("head", 0.01), ("full", None))
        for rows in (100, 1_000, 4_000)
        if (rung, rows) != ("full", 100)
    ],
    "enough": [{"rung": "head", "rows": 1_000}, {"rung": "full", "rows": None}],
    "crossings": [],
    "left_out": [2_000],
    "words": "head needs 1,000 rows.",
}
"""Learning curves of two rungs, one without a point and without seeds."""


def single() -> Any:
    nothing = {
        "decision": "within",
        "best_other": None,
        "below_best": None,
        "lower_bound": None,
        "upper_bound": None,
        "texts_to_decide": None,
        "seeds_to_decide": None,
    }
    return rung_record("head", 0.8, standing=nothing)
