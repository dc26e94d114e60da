"""Build the parts of a fit's record from the data, the plan and the results of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thawline.backbones.loading import Backbone
from thawline.config import ComputeConfig, PreflightConfig
from thawline.data import Dataset
from thawline.data.lengths import Tokenization, WordCount
from thawline.data.preflight.inspection import inspect_dataset
from thawline.data.synonyms import LEXICON
from thawline.prefix.report import PassReport
from thawline.runs.records import (
    SPLIT_NAMES,
    AdaptedBackbone,
    AlteredCopies,
    BackboneOrigin,
    BackboneReference,
    EncoderReference,
    ExactFitStep,
    FitCost,
    FitData,
    FitEpoch,
    FitPlan,
    HeadFirst,
    LabelNames,
    PassSummary,
    Protocol,
    StoreReference,
    SuffixSummary,
    Survey,
)
from thawline.runtime import devices, hardware
from thawline.runtime.progress import Reporter
from thawline.training.adapt import Adapted, FrozenStates, Task, WordsTask
from thawline.training.kept import Row
from thawline.training.preparation import Prepared, PreparedWords


def describe_plan(dataset: Dataset, prepared: Prepared | PreparedWords) -> FitPlan:
    """Return the part of the record that is known before anything is computed.

    Args:
        dataset: The data set.
        prepared: The checked settings, with the backbone if there is one.
    """
    backbone, plan = prepared.backbone, prepared.plan
    encoder = None if backbone is None else backbone.built_from
    return FitPlan(
        backbone=None if backbone is None else _describe_backbone(backbone),
        encoder=None if encoder is None else EncoderReference(**encoder),
        strategy=str(plan.strategy),
        line=plan.line,
        head=str(plan.head),
        pooling=plan.pooling,
        max_length=plan.max_length,
        epochs=plan.epochs,
        lr=plan.lr,
        labels=LabelNames(**dataset.labels.to_dict()),
        data=FitData(
            name=dataset.name,
            sha256=dataset.digest,
            protocol=Protocol(**dataset.protocol),
            text_columns=list(dataset.text_columns),
            label_column=dataset.label_column,
            notes=list(dataset.warnings),
            rows={name: dataset.parts[name].rows.tolist() for name in SPLIT_NAMES},
        ),
        preflight=_inspect_quickly(dataset, prepared.tokenization()),
    )


def _describe_backbone(backbone: Backbone) -> BackboneReference:
    origin = backbone.origin
    return BackboneReference(
        name=backbone.name,
        sha256=backbone.digest(),
        origin=None if origin is None else BackboneOrigin(**origin.to_dict()),
    )


def _inspect_quickly(dataset: Dataset, tokenization: Tokenization | WordCount) -> Survey:
    """Inspect the data set as every fit does. `thawline preflight` inspects it completely."""
    return inspect_dataset(dataset, tokenization, PreflightConfig(), Reporter(), quick=True)


def describe_augmentation(
    prepared: Prepared | PreparedWords, task: Task | WordsTask
) -> AlteredCopies | None:
    """Return the number of altered copies of the training texts. None if there are none."""
    augmentation = prepared.augmentation
    if augmentation is None:
        return None
    originals, texts = task.original_texts, task.parts["train"].texts
    copies = texts[len(originals) :]
    return AlteredCopies(
        copies=augmentation.copies,
        texts=len(copies),
        changed=sum(copy != originals[place % len(originals)] for place, copy in enumerate(copies)),
        lexicon=LEXICON if augmentation.synonyms else None,
    )


def describe_history(history: Sequence[Row]) -> list[FitEpoch]:
    """Return the evaluations of the training loop as parts of a record."""
    return [FitEpoch(**row) for row in history]


def describe_choice(choice: Sequence[dict[str, Any]]) -> list[ExactFitStep]:
    """Return the candidates of an exact fit as parts of a record."""
    return [ExactFitStep(**step) for step in choice]


def describe_store(frozen: FrozenStates) -> StoreReference | None:
    """Return the reference to the stored states. None if the states are not stored."""
    described = frozen.describe()
    return None if described is None else StoreReference(**described)


def describe_head_first(adapted: Adapted, frozen: FrozenStates) -> HeadFirst | None:
    """Describe the training of the head before the strategy. None if there was none."""
    if adapted.first is None:
        return None
    return HeadFirst(
        choice=describe_choice(adapted.first.choice),
        history=describe_history(adapted.first.history),
        store=describe_store(frozen.of_head()),
    )


def describe_work(
    report: PassReport, adapted: Adapted, compute: ComputeConfig
) -> tuple[PassSummary, SuffixSummary | None]:
    """Return the work of the frozen pass and of the training, and its speed.

    The rate of matrix products is measured here, when nothing else computes.

    Args:
        report: The work of the frozen pass.
        adapted: The result of the training.
        compute: The settings of the device and of the dtype.
    """
    device = devices.pick_device(compute.device)
    dtype = devices.pick_dtype(compute.dtype, device)
    has_run = report.texts > 0 or adapted.operations is not None
    matrix_rate = hardware.matrix_rate(dtype, device) if has_run else None
    return (
        _describe_pass(report, device, dtype, matrix_rate),
        _describe_suffix(adapted, matrix_rate),
    )


def seconds_alone(report: PassReport, compute: ComputeConfig) -> float:
    """Return the seconds of a frozen pass over all texts with an empty store.

    If the store does not know the seconds of states, because an older version of Thawline computed
    them, their operations are divided by this machine's rate for matrix products.

    Args:
        report: The work of the frozen pass.
        compute: The settings of the device and of the dtype.
    """
    rate = 1.0
    if any(report.untimed_flops.values()):
        device = devices.pick_device(compute.device)
        rate = hardware.matrix_rate(devices.pick_dtype(compute.dtype, device), device)
    return max(
        seconds + report.untimed_flops[kind] / rate for kind, seconds in report.alone.items()
    )


def describe_cost(
    report: PassReport,
    adapted: Adapted,
    compute: ComputeConfig,
    earlier: float,
    seconds: float,
    tapt: AdaptedBackbone | None,
) -> FitCost:
    """Return the seconds of a fit as if it had run alone, with an empty store.

    Args:
        report: The work of the frozen pass.
        adapted: The result of the training.
        compute: The settings of the device and of the dtype.
        earlier: The seconds of training in earlier starts, up to the checkpoint that was restored.
        seconds: The seconds of this start.
        tapt: The training of the backbone on its own objective. None for other strategies.
    """
    prefix = seconds_alone(report, compute)
    first = 0.0 if adapted.first is None else adapted.first.seconds
    of_backbone = 0.0 if tapt is None else tapt.seconds
    shared = of_backbone if tapt is not None and tapt.reused else 0.0
    return FitCost(
        seconds=seconds - report.seconds["prefix"] + prefix + earlier + shared,
        prefix=report.seconds["tokenising"] + prefix,
        training=of_backbone + first + adapted.seconds + earlier,
    )


def _describe_suffix(adapted: Adapted, matrix_rate: float | None) -> SuffixSummary | None:
    if adapted.operations is None or matrix_rate is None:
        return None
    rate = adapted.operations / adapted.seconds
    return SuffixSummary(
        operations=adapted.operations,
        flops_per_second=rate,
        share_of_matrix_rate=rate / matrix_rate,
    )


def _describe_pass(
    report: PassReport, device: str, dtype: str, matrix_rate: float | None
) -> PassSummary:
    seconds = report.seconds["prefix"]
    rate = report.flops / seconds if report.texts else None
    share = rate / matrix_rate if rate is not None and matrix_rate is not None else None
    return PassSummary(
        texts=report.texts,
        from_store=report.from_store,
        tokens=report.tokens,
        device=device,
        dtype=dtype,
        texts_per_second=report.texts / seconds if report.texts else None,
        flops_per_second=rate,
        matrix_rate=matrix_rate,
        share_of_matrix_rate=share,
    )
