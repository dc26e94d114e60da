"""The settings of the head and of the training on labelled texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from thawline.config.help import Help
from thawline.config.loop import LoopConfig
from thawline.config.ranges import Bytes, Count, Fraction, Penalty, Rate, Share

LEARNING_RATES = {
    **{"head": 3e-3, "last": 1e-3, "lora": 2e-3, "full": 2e-4},
    **{"bitfit": 1e-2, "gradual": 2e-3},
}
"""The best learning rate of each strategy in `benchmarks/learning_rates.json`."""

FAMILY_RATES = {"thawline-glove": {"full": 1e-3}}
"""Other learning rates by model type. This model is small and starts from random weights."""

FEW_TO_CHOOSE = 100
"""Below this number of validation rows, the last epoch is better on average than the best one."""

MLP_DROPOUT = 0.1
"""Dropout of an MLP head if none is given. A linear head then has none."""

EPOCHS = 3
"""Number of epochs if none is given and the head cannot be solved exactly."""

MEMORY_SHARE = 0.25
"""Share of the available memory that the exact fit may use for features."""

_RATES = ", ".join(f"{rate:g} for {name}" for name, rate in LEARNING_RATES.items())


@dataclass(frozen=True)
class HeadConfig:
    """Settings of the head, which turns pooled states into logits."""

    head: Annotated[
        str,
        Help(
            "Classification head: `linear`, `mlp:H` with one hidden layer of H units, or `native` "
            "for the model's own head."
        ),
    ] = "linear"
    pooling: Annotated[
        str | None,
        Help(
            "How token states are combined: `first`, `last` or `mean`.",
            "mean, or the native head's own pooling",
        ),
    ] = None
    features: Annotated[
        str | None,
        Help(
            "Stages whose states the head reads: the number of one stage, `last`, or `layers` for "
            "all stages side by side.",
            "the best of these on validation for an exact fit, otherwise the last stage",
            metavar="STAGES",
        ),
    ] = None
    standardise: Annotated[
        bool, Help("Scale each feature to mean 0 and standard deviation 1 over the training rows.")
    ] = True
    dropout: Annotated[
        Fraction | None,
        Help(
            "Dropout before each layer of a head that is trained by epochs.",
            f"{MLP_DROPOUT} for an MLP head, 0 for a linear head",
        ),
    ] = None


@dataclass(frozen=True)
class LoraConfig:
    """Low-rank adapters: the defaults of the keys that a ``lora`` strategy may omit."""

    r: Annotated[int, Help("Rank of the adapters.")] = 4
    alpha: Annotated[float, Help("Scaling factor; updates are multiplied by alpha / r.")] = 32
    dropout: Annotated[float, Help("Dropout of the adapters' input.")] = 0.1
    targets: Annotated[
        str | None,
        Help("Names of the modules to adapt, joined by +.", "the family's query projection"),
    ] = None
    from_block: Annotated[int, Help("First block with adapters. Blocks are counted from 1.")] = 1
    dora: Annotated[
        bool, Help("Also train the magnitude of each row of an adapted matrix (DoRA).")
    ] = False
    rslora: Annotated[bool, Help("Multiply updates by alpha / √r (rsLoRA).")] = False


@dataclass(frozen=True)
class ExactConfig:
    """Settings of the exact fit of a linear head."""

    penalties: Annotated[
        tuple[Penalty, ...],
        MinLen(1),
        Help("L2 penalties, tried in this order."),
    ] = (1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4)
    patience: Annotated[
        Count,
        Help("Number of penalties in a row without a lower validation loss that end the search."),
    ] = 2
    max_iterations: Annotated[
        Count, Help("Maximum number of Newton iterations for one penalty.")
    ] = 100
    tolerance: Annotated[
        Share,
        Help(
            "Norm of the gradient of the penalised mean loss at which the optimisation of the "
            "chosen head stops."
        ),
    ] = 1e-6
    rows_per_block: Annotated[
        Count, Help("Number of rows whose features are processed at once.")
    ] = 4_096
    cache_bytes: Annotated[
        Bytes | None,
        Help(
            "Maximum size of the features that are kept in memory, in bytes.",
            "a quarter of the available memory",
        ),
    ] = None
    words_penalties: Annotated[
        Annotated[tuple[Annotated[float, Gt(0), Le(1e6)], ...], MinLen(1)] | None,
        Help(
            "L2 penalties on the weights of TF-IDF features, per text, tried in this order.",
            "eight values from the inverse of the number of training texts down to a "
            "three-thousandth of it",
        ),
    ] = None


@dataclass(frozen=True)
class TrainingConfig(LoopConfig):
    """Settings of the training by epochs on labelled texts."""

    epochs: Annotated[
        Count | None,
        Help(
            "Number of training epochs. If omitted, a linear head is solved exactly and everything "
            f"else trains for {EPOCHS} epochs.",
            metavar="N",
        ),
    ] = None
    head_first_epochs: Annotated[
        Count,
        Help(
            "Number of epochs that an MLP or native head trains alone before `lp+S` continues. "
            "A linear head is solved exactly instead."
        ),
    ] = 10
    batch_size: Annotated[Count, Help("Number of texts in a training step.", metavar="N")] = 16
    length_pool: Annotated[
        Count,
        Help(
            "Number of steps whose texts are sorted by length together, which reduces padding. "
            "1 disables sorting."
        ),
    ] = 50
    pass_overhead: Annotated[
        int,
        Ge(0),
        Le(1_000_000),
        Help(
            "Fixed cost of a forward pass, in tokens. A step is split by length if that saves more "
            "padding than this."
        ),
    ] = 256
    lr: Annotated[
        Rate | None,
        Help(
            "Maximum learning rate of training by epochs.",
            f"that of the strategy: {_RATES}",
            metavar="RATE",
        ),
    ] = None
    attention_dropout: Annotated[
        Fraction | None,
        Help("Dropout within attention. A value above 0 makes attention slower on a CPU."),
    ] = 0.0
    class_weights: Annotated[
        Literal["none", "balanced"],
        Help("Weights in the loss. `balanced` gives every class the same total weight."),
    ] = "none"
    augment: Annotated[
        str | None,
        Help(
            "Train also on altered copies of the training texts, for example "
            "`word_dropout=0.1,swap=0.05,synonyms=0.1,copies=2`. The first three are the shares of "
            "words to remove, to swap with the next word and to replace by a synonym; `copies` is "
            "the number of copies of each text.",
            "no copies",
            metavar="SHARES",
        ),
    ] = None
    label_smoothing: Annotated[
        Fraction, Help("Share of each label that is spread evenly over all classes.")
    ] = 0.0
    keep: Annotated[
        Literal["accuracy", "f1_macro", "loss", "last"],
        Help(
            "Validation score that selects the evaluation whose weights are kept, or `last` for "
            "the last weights. In a tie, the later evaluation is kept."
        ),
    ] = "accuracy"
