"""Read the weights that `TextClassifier` takes, and check its labelled texts."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from thawline.data import LabelledTexts, Labels
from thawline.data.copies import count_shared
from thawline.data.labels import plain_value, spelling_warnings, suggest_spelling
from thawline.data.texts import check_pairing
from thawline.errors import ThawlineError, did_you_mean


def read_class_weight(class_weight: Any, known: Labels) -> Tensor | None:
    """Return the weight of each class.

    Args:
        class_weight: A mapping from labels to weights. Classes that it lacks have the weight 1.
        known: The classes.

    Returns:
        The weights, ``(classes,)``. None if ``class_weight`` is not a mapping.

    Raises:
        ThawlineError: If a class is unknown, or if a weight is not a positive number or 0.
    """
    if not isinstance(class_weight, Mapping):
        return None
    weights = np.ones(len(known))
    for label, weight in class_weight.items():
        weights[_class_id(label, known)] = _weight(weight, f"the class {label!r}", "class_weight")
    if not weights.any():
        raise ThawlineError(
            "a positive weight of at least one class",
            "only zeros",
            "change class_weight",
            setting="class_weight",
        )
    return torch.from_numpy(weights)


def _class_id(label: Any, known: Labels) -> int:
    """Return the id of a class, or raise ThawlineError if no class has this label."""
    try:
        (class_id,) = known.lookup([label]).tolist()
    except ThawlineError:  # it is neither a number nor a string
        class_id = -1
    if class_id < 0:
        plain = plain_value(label)
        raise ThawlineError(
            f"keys of class_weight among the classes {known.described()}",
            f"the key {label!r}",
            suggest_spelling(known, plain) or did_you_mean(str(plain), known.names),
            setting="class_weight",
        )
    return int(class_id)


def read_sample_weight(sample_weight: Any, rows: int) -> Tensor | None:
    """Return the weight of each text.

    Args:
        sample_weight: The weights, ``(rows,)``. If None, all texts weigh the same.
        rows: The number of texts.

    Raises:
        ThawlineError: If the number of weights differs from that of the texts, or if a weight is
            not a positive number or 0.
    """
    if sample_weight is None:
        return None
    fix = "pass one positive number, or 0, for each text"
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        found = f"'{sample_weight}'"
        expected = "numbers as sample_weight"
        raise ThawlineError(expected, found, fix, setting="sample_weight") from None
    if weights.shape != (rows,):
        expected, found = f"{rows:,} values in sample_weight", f"the shape {weights.shape}"
        raise ThawlineError(expected, found, fix, setting="sample_weight")
    invalid = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(invalid):
        _weight(weights[invalid[0]], f"row {invalid[0]} (counting from 0)", "sample_weight")
    if not weights.any():
        expected, found = "a positive weight of at least one text", "only weights of zero"
        raise ThawlineError(expected, found, "change sample_weight", setting="sample_weight")
    return torch.from_numpy(weights)


def _weight(value: Any, place: str, setting: str) -> float:
    """Return a weight, or raise ThawlineError if it is not a positive number or 0."""
    try:
        weight = float(value)
    except (TypeError, ValueError):
        weight = -1.0
    if not (np.isfinite(weight) and weight >= 0):
        raise ThawlineError(
            f"a positive number or 0 as the weight of {place}",
            f"'{value}'",
            f"change this value of {setting}",
            setting=setting,
        )
    return weight


def check_rows(train: LabelledTexts, validation: LabelledTexts) -> None:
    """Check that there are two classes to train on and texts of the same kind to validate on.

    Raises:
        ThawlineError: If there is only one class, no validation text, or pairs in only one of the
            two parts.
    """
    classes = len(np.unique(train.labels))
    if classes < 2:
        raise ThawlineError(
            "training texts of at least two classes",
            f"{classes} {'class' if classes == 1 else 'classes'} in {len(train):,} rows",
            "add rows of the other classes, or pass validation=(texts, labels)"
            if classes
            else "pass some texts",
        )
    if not len(validation):
        raise ThawlineError(
            "at least one validation text",
            "none",
            "omit validation to hold out a share of the rows",
        )
    pairs = isinstance(train.texts[0], tuple)
    check_pairing(validation.texts, pairs=pairs, expected="as in the training texts")


def warn_about_data(train: LabelledTexts, validation: LabelledTexts, labels: Labels) -> None:
    """Warn about copies of training texts in validation, and about similar class names."""
    shared = count_shared(train.texts, validation.texts)
    if shared:
        warnings.warn(
            f"{shared:,} of {len(validation):,} validation texts also occur in the training texts, "
            "so the scores on validation may be too high: remove these texts from one of the two",
            stacklevel=3,
        )
    every_label = np.concatenate([train.labels, validation.labels])
    rows = np.bincount(every_label, minlength=len(labels)).tolist()
    for line in spelling_warnings(labels, dict(zip(labels.names, rows, strict=True))):
        warnings.warn(line, stacklevel=3)
