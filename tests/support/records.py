"""Complete records of invented jobs, for tests of what is made from records."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from thawline.runs.records import (
    SCHEMA_VERSION,
    Difference,
    FitCost,
    FitEpoch,
    FitRecord,
    FitSeconds,
    LadderRecord,
    MeanScore,
    MeanScores,
    NestedScore,
    PairedTest,
    PretrainRecord,
    Proof,
    RungCost,
    RungPair,
    RungRecord,
    RungRun,
    Score,
    Scores,
    Standing,
    TotalSeconds,
    TuneRecord,
    TuneTrial,
)

OTHER_SCORES = ("precision_macro", "precision_weighted", "recall_macro", "recall_weighted")


def score(value: float, low: float | None = None, high: float | None = None) -> Score:
    """Return a score, by default with an interval of 0.05 on either side."""
    return Score(
        value=value,
        low=value - 0.05 if low is None else low,
        high=value + 0.05 if high is None else high,
    )


def scores(**changes: Any) -> Scores:
    """Return scores of two classes: 0.8 each, a loss of 0.4 and a calibration error of 0.06."""
    usual = {
        "rows": 1_500,
        "confidence_level": 0.95,
        **{name: score(0.8) for name in ("accuracy", "f1_macro", "f1_weighted", *OTHER_SCORES)},
        "loss": score(0.4),
        "calibration_error": score(0.06),
        "per_class": [
            {"precision": 0.81, "recall": 0.79, "f1": 0.8, "support": 700},
            {"precision": 0.79, "recall": 0.81, "f1": 0.8, "support": 800},
        ],
        "confusion": [[553, 147], [152, 648]],
    }
    return Scores(**usual | changes)


def fit_epoch(epoch: float = 0, **changes: Any) -> FitEpoch:
    """Return an evaluation during a fit."""
    usual = {
        "epoch": epoch,
        "step": round(5 * epoch),
        "train_loss": None if epoch == 0 else 0.6,
        "validation_loss": 0.5,
        "validation_accuracy": 0.75,
        "validation_f1_macro": 0.7,
        "lr": None if epoch == 0 else 1e-3,
        "seconds": None if epoch == 0 else 1.5,
        "kept": False,
    }
    return FitEpoch(**usual | changes)


START = {
    "schema_version": SCHEMA_VERSION,
    "status": "finished",
    "started": "2026-03-01T12:00:05+00:00",
    "config": {"seed": 0},
    "versions": {"python": "3.12.3", "thawline": "0.9.0", "torch": "2.13.0", "transformers": "5.1"},
    "hardware": {
        "cpu": "a processor",
        "cores": 2,
        "threads": 1,
        "instructions": "AVX2",
        "memory_bytes": 8 * 10**9,
        "gpu": None,
        "platform": "Linux",
    },
}
SPLITS = ("train", "validation", "test")
PROTOCOL = {
    "splits": {name: {"source": name, "rows": 4, "how": "as given"} for name in SPLITS},
    "row_seed": 42,
    "limit": None,
}
NONE_FOUND = {"texts": 0, "conflicting": 0, "examples": []}
FOUND = {
    "within": dict.fromkeys(SPLITS, NONE_FOUND),
    "across": [
        {"splits": pair, **NONE_FOUND}
        for pair in (("train", "validation"), ("train", "test"), ("validation", "test"))
    ],
}
SURVEYED = {
    "rows": 4,
    "classes": {"[neg]": 2, "pos": 2},
    "imbalance": 1.0,
    "empty": 0,
    "tokens": {"min": 3, "10 %": 3, "median": 4, "90 %": 9, "99 %": 9, "max": 9},
    "truncated": 0.25,
    "lengths_of": 4,
}
SURVEY = {
    "data": "[reviews]",
    "max_length": 8,
    "truncation_side": "right",
    "splits": {name: {**SURVEYED, "source": name, "shown": []} for name in SPLITS},
    "all": SURVEYED,
    "duplicates": {"exact": FOUND, "near": None, "conflicting": 0},
    "leakage": {"exact": NONE_FOUND, "near": None},
    "against": None,
    "findings": [],
    "seconds": {"tokens": 0.1, "duplicates": 0.2, "total": 0.3},
}
MISTAKE = {
    "row": 3,
    "label": "pos",
    "predicted": "[neg]",
    "probability": 0.99,
    "tokens": 600,
    "truncated": True,
    "text": "so good",
}
RATE = {"rows": 1_500, "mistakes": 300, "error_rate": score(0.2)}
LABELS = {"names": ["[neg]", "pos"], "values": [0, 1]}
FIT = START | {
    "verb": "fit",
    "backbone": {"name": "toy", "sha256": "ab" * 32, "origin": None},
    "encoder": None,
    "strategy": "head",
    "line": 7,
    "head": "linear",
    "pooling": "mean",
    "max_length": 512,
    "epochs": None,
    "lr": None,
    "labels": LABELS,
    "data": {
        "name": "[reviews]",
        "sha256": "cd" * 32,
        "protocol": PROTOCOL,
        "rows": {name: [0, 1, 2, 3] for name in SPLITS},
    },
    "preflight": SURVEY,
    "features": [4],
    "seconds": {
        "tokenising": 1.0,
        "prefix": 20.25,
        "training": 2.0,
        "evaluation": 0.5,
        "total": 30.0,
    },
    "density": {"prefix": 0.99, "training": 1.0},
    "prefix": {
        "texts": 6_000,
        "tokens": 60_000,
        "device": "cpu",
        "dtype": "float32",
        "texts_per_second": 300.0,
        "flops_per_second": 1e10,
        "matrix_rate": 1e11,
        "share_of_matrix_rate": 0.1,
    },
    "store": {"entry": "ef" * 32, "sha256": "01" * 32},
    "parameters": {
        "trainable": 770,
        "frozen": 22_713_216,
        "total": 22_713_986,
        "trained": {"head": 770},
    },
    "kept": None,
    "baseline": scores(accuracy=score(0.5)),
    "validation": scores(),
    "test": scores(),
    "mistakes": {
        "texts": 1_500,
        "rows": list(range(300)),
        "most_confident": [MISTAKE, MISTAKE | {"text": "another"}],
        "error_rates": {
            "whole": RATE,
            "truncated": RATE,
            "by_length": [RATE | {"shortest": 3, "longest": 900}],
        },
    },
    "samples": [
        {
            "row": 5,
            "text": "a [warm] film",
            "label": "pos",
            "tokens": 4,
            "untrained": {"predicted": "[neg]", "probability": 0.51},
            "adapted": {"predicted": "pos", "probability": 0.97},
        }
    ],
    "history": [],
    "choice": [{"stages": [4], "penalty": 0.01, "loss": 0.4, "accuracy": 0.8}],
    "head_first": None,
    "proof": {"texts": 16, "difference": 0.0},
    "peak_memory_bytes": 912_345_678,
    "plots": ["/runs/a run/before_after.png", "/runs/a run/before_after.svg"],
    "artifact": "/runs/a run/model",
}
KEPT = {
    "epoch": 3,
    "step": 19_500,
    "train_loss": 4.2,
    "validation_loss": 4.3612,
    "validation_accuracy": 0.26217,
    "validation_perplexity": 78.35,
    "validation_bits_per_byte": 1.39974,
    "lr": 0.0,
    "seconds": 505.06,
    "kept": True,
}
PRETRAIN = START | {
    "verb": "pretrain",
    "corpus": {
        "sha256": "ab" * 32,
        "sources": ["texts.csv: 74,000 texts"],
        "counts": {
            "read": 74_000,
            "copies": 300,
            "left_out": 32,
            "train": 72_931,
            "held_out": 737,
        },
        "train": {"texts": 72_931, "bytes": 95_000_000},
        "held_out": {"texts": 737, "bytes": 960_000},
    },
    "tokenizer": {
        "size": 32_768,
        "train_tokens": 21_300_000,
        "held_out_tokens": 218_435,
        "tokens_per_text": 291.07,
        "bytes_per_token": 4.4,
    },
    "device": "cpu",
    "dtype": "float32",
    "parameters": 4_932_672,
    "block_parameters": 738_368,
    "steps": 19_500,
    "steps_per_epoch": 6_500,
    "tokens": 638_976_000,
    "tokens_per_second": 1_265_158.7,
    "history": [KEPT],
    "kept": KEPT,
    "seconds": {
        "vocabulary": 9.3,
        "tokenising": 11.4,
        "training": 505.06,
        "last_leg": 510.0,
        "total": 1_234.56,
    },
    "peak_memory_bytes": 2_345_600_000,
    "saved": {
        "validation_loss": 4.3613,
        "validation_accuracy": 0.2621,
        "validation_perplexity": 78.36,
        "validation_bits_per_byte": 1.39979,
    },
    "plots": ["/there/runs/[a] b/history.png", "/there/runs/[a] b/history.svg"],
}


def fit_record(**changes: Any) -> FitRecord:
    """Return the record of a fit of a head alone, with other values for some fields."""
    return FitRecord(**FIT | changes)


def pretrain_record(**changes: Any) -> PretrainRecord:
    """Return the record of a pretraining, with other values for some fields."""
    return PretrainRecord(**PRETRAIN | changes)


def mean_score(value: float, deviation: float | None = None) -> MeanScore:
    """Return the mean of a score over seeds."""
    return MeanScore(value=value, low=value - 0.02, high=value + 0.02, deviation=deviation)


def mean_scores(
    accuracy: float, deviation: float | None = None, *, rows: int = 2_000
) -> MeanScores:
    """Return the main scores of a rung. Macro F1 is 0.001 lower than accuracy."""
    return MeanScores(
        rows=rows,
        confidence_level=0.95,
        accuracy=mean_score(accuracy, deviation),
        f1_macro=mean_score(accuracy - 0.001, deviation),
        f1_weighted=mean_score(accuracy, deviation),
        loss=mean_score(0.4, deviation),
        calibration_error=mean_score(0.05, deviation),
    )


def rung_run(history: list[FitEpoch], seed: int = 0, draw: int = 0) -> RungRun:
    """Return a run of a rung."""
    return RungRun(
        seed=seed,
        draw=draw,
        run=f"a-rung-seed-{seed}",
        features=[4],
        test=scores().main_scores(),
        validation=scores().main_scores(),
        history=history,
        seconds=FitSeconds(**FIT["seconds"]),
        cost=FitCost(seconds=1_234.56, prefix=1_000.0, training=200.0),
        peak_memory_bytes=10**9,
        proof=Proof(texts=16, difference=0.0),
    )


def rung_record(
    name: str, accuracy: float = 0.8, decision: str = "undecided", **changes: Any
) -> RungRecord:
    """Return a rung.

    Args:
        name: The name of the rung.
        accuracy: The accuracy on test and validation.
        decision: The decision about the rung.
        changes: Other values for some fields.
    """
    below = Difference(value=0.02, low=-0.01, high=0.05, degrees_of_freedom=7.5)
    usual = {
        "rung": name,
        "backbone": "minilm",
        "strategy": name,
        "line": 7,
        "head": "linear",
        "pooling": "mean",
        "epochs": None,
        "lr": None,
        "parameters": FIT["parameters"] | {"trainable": 22_713_986},
        "test": mean_scores(accuracy),
        "validation": mean_scores(accuracy, rows=400),
        "nested": NestedScore(value=accuracy, standard_error=0.02),
        "cost": RungCost(
            seconds=1_234.56, prefix=1_000.0, training=200.0, latency=None, predicted=1_300.0
        ),
        "standing": Standing(
            decision=decision,
            best_other="another",
            below_best=below,
            lower_bound=-0.06,
            upper_bound=0.02,
            texts_to_decide=5_200 if decision == "undecided" else None,
            seeds_to_decide=None,
        ),
        "peak_memory_bytes": 10**9,
        "runs": [rung_run([])],
    }
    return RungRecord(**usual | changes)


def rung_pair(first: str, second: str, difference: float = -0.02) -> RungPair:
    """Return the differences between two rungs."""
    return RungPair(
        first=first,
        second=second,
        accuracy=Difference(
            value=difference,
            low=difference - 0.03,
            high=difference + 0.03,
            degrees_of_freedom=7.5,
        ),
        f1_macro=Difference(
            value=difference,
            low=difference - 0.03,
            high=difference + 0.03,
            degrees_of_freedom=None,
        ),
        loss=Difference(value=0.1, low=0.05, high=0.15, degrees_of_freedom=None),
        test=PairedTest(only_first_right=20.0, only_second_right=60.0, p=0.001, p_corrected=0.003),
    )


def ladder_record(rungs: list[RungRecord], **changes: Any) -> LadderRecord:
    """Return the record of a ladder whose last rung is its verdict and the run to use."""
    usual = START | {
        "data": {"name": "films", "sha256": "cd" * 32, "protocol": PROTOCOL, "labels": LABELS},
        "rungs": rungs,
        "pairs": [rung_pair(one.rung, other.rung) for one, other in combinations(rungs, 2)],
        "verdict": {
            "rung": rungs[-1].rung,
            "margin": 0.01,
            "confidence": 0.95,
            "cost": "seconds",
            "about": "models",
            "words": f"{rungs[-1].rung} is within 1 point.",
        },
        "chosen": {
            "rung": rungs[-1].rung,
            "seed": 0,
            "run": "a-rung-seed-0",
            "score": 0.81,
            "standard_error": 0.02,
            "by": "the nested choice on validation",
        },
        "plots": ["rungs.png"],
        "seconds": TotalSeconds(total=100.0),
    }
    return LadderRecord(**usual | changes)


def tune_trial(number: int, **changes: Any) -> TuneTrial:
    """Return a finished trial of a search."""
    usual = {
        "number": number,
        "state": "finished",
        "strategy": "last:1",
        "settings": {"training.lr": 1e-3, "training.epochs": number + 1, "strategy.k": 1},
        "score": 0.8 - 0.01 * number,
        "seconds": 2.5,
    }
    return TuneTrial(**usual | changes)


def tune_record(**changes: Any) -> TuneRecord:
    """Return the record of a search."""
    usual = START | {
        "status": "finished",
        "data": {
            "name": "films",
            "sha256": "cd" * 32,
            "train": 90,
            "validation": 10,
            "labels": LABELS,
        },
        "score": "accuracy",
        "best": tune_trial(0),
        "rung": "last:1 training.epochs=1",
        "nested": 0.78,
        "importances": [{"key": "training.lr", "importance": 0.7}],
        "repeated": 1,
        "trials": [
            tune_trial(1),
            tune_trial(2, state="failed", score=None, error="OSError: full"),
        ],
        "plots": ["importance.png"],
        "seconds": 7.5,
    }
    return TuneRecord(**usual | changes)
