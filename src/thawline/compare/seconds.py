"""Predict the seconds of a fit from its work.

The seconds of a part are a sum of products: how often the part does something, times the seconds
that this takes (`SECONDS`). Matrix products are counted as the seconds that they would take at the
rate of this machine, so that their factor is the inverse of the efficiency that a part reaches,
which depends on the dtype. The seconds of everything else are those of a reference machine, times
how many times as long one core of this machine takes (`measure_slowdown`).

`benchmarks/costs.py` measures fits, finds the factors by least squares, and compares predicted with
true seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from thawline.runtime.hardware import word_rate

Work = dict[str, dict[str, float]]
"""How often each part of a fit does each thing."""

Parts = dict[str, float]
"""The seconds of each part of a fit."""

BURSTS = 4
"""How often a rate of this machine is measured, because other programs may be computing."""

REFERENCE_WORD_RATE = 34e6
"""The rate of counting words, in characters per second, of the machine that `SECONDS` are for.

That machine was measured without this rate. So it is the rate of a slower machine, multiplied by
how much longer that one took to tokenise the same texts.
"""

PRODUCTS = {"float32": "products_fp32", "bfloat16": "products_bf16"}
"""The names of matrix products, by the dtype in which they are computed."""

_TRAINING = {
    "products_fp32": 1.24,
    "products_bf16": 2.21,
    "tokens": 3.6e-6,
    "steps": 0.005,
    "blocks": 0.0087,
    "updates": 3.5e-9,
}

SECONDS: Work = {
    "tokenising": {"characters": 4.1e-7},
    "prefix": {"products_fp32": 1.03, "products_bf16": 1.36, "tokens": 2.0e-6, "texts": 1.7e-4},
    "words": {"fits": 0.66, "characters": 5.0e-7, "outputs": 1.5e-4},
    "head": {"features": 4.2e-8, "logits": 5.8e-9, "candidates": 0.037},
    "joint": {"characters": 1.3e-6, "states": 1.3e-7},
    "training": _TRAINING,
    "tapt": _TRAINING,
    "scores": {
        "products_fp32": 1.06,
        "products_bf16": 1.54,
        "tokens": 3.5e-6,
        "characters": 3.0e-7,
        "texts": 8.4e-5,
    },
    "other": {"fits": 0.88, "parameters": 1.6e-8, "characters": 1.05e-7},
}
"""The seconds that each thing takes, by part.

`benchmarks/costs.py` finds them from measured fits (`benchmarks/results/costs.json`). All fits ran
on two cores of a CPU: those in bf16 on one with AVX-512, those in fp32 on one with AVX2. The
results that are marked as busy were measured while other programs ran. The tokens of training in
the results of the packaged reviews on AVX-512 were derived from the products, and those fits had
fewer steps than the defaults give today. The things are:

- ``products_fp32`` and ``products_bf16``: matrix products, in seconds at the matrix rate of this
  machine;
- ``tokens`` times the blocks that read them, as a measure of all work on activations that is not a
  matrix product, on a CPU. In training, one token counts once in each epoch;
- ``characters`` and ``texts`` that the part reads;
- ``features``: numbers in the features of the training texts, over all candidates of an exact fit;
- ``logits``: features times classes, in an exact fit of a head;
- ``outputs``: training texts times classes, in a fit of words;
- ``states``: features of states times classes, in a joint fit;
- ``candidates`` of an exact fit, ``steps`` of the optimiser, and ``fits``, which is 1;
- ``blocks`` that run in training, times steps, because each has a fixed cost;
- ``updates``: trained parameters times steps;
- ``parameters`` of the backbone, which are hashed, saved and loaded again.
"""


def predict_seconds(
    work: Work, slowdown: float = 1.0, seconds: Mapping[str, Mapping[str, float]] = SECONDS
) -> Parts:
    """Return the seconds of each part of a fit.

    Args:
        work: The work of the fit, from `count_work`.
        slowdown: How many times as long one core of this machine takes as one core of the
            reference machine, from `measure_slowdown`.
        seconds: The seconds that each thing takes, by part.
    """
    return {
        part: sum(
            amount * seconds[part][thing] for thing, amount in on_machine(things, slowdown).items()
        )
        for part, things in work.items()
    }


def on_machine(things: Mapping[str, float], slowdown: float) -> dict[str, float]:
    """Return the work of a part on a machine, as work on the reference machine that takes as long.

    Matrix products are already counted by the rate of the machine.

    Args:
        things: How often the part does each thing.
        slowdown: The slowdown of the machine, from `measure_slowdown`.
    """
    return {
        thing: amount if is_product(thing) else amount * slowdown
        for thing, amount in things.items()
    }


def is_product(thing: str) -> bool:
    """Return whether a thing is counted in seconds at the matrix rate of this machine."""
    return thing in PRODUCTS.values()


def measure_slowdown() -> float:
    """Return how many times as long one core of this machine takes as a reference core."""
    return REFERENCE_WORD_RATE / word_rate(bursts=BURSTS)
