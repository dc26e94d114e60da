"""Check that a checkpoint belongs to a training, before its values are used.

A checksum protects against damage, but the folder of a run may come from an untrusted source.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from torch import Tensor

from thawline.runs.records import AdaptationEpoch, FitEpoch, PretrainEpoch
from thawline.training.steps import Training

_LOGITS = "evaluated.logits"
"""The tensor with the validation logits of all evaluations. It is missing if it is too large."""


def find_problem(
    training: Training, tensors: Mapping[str, Tensor], values: Mapping[str, Any]
) -> str | None:
    """Return why a checkpoint does not belong to a training, or None if it does.

    Args:
        training: The training before the checkpoint is loaded.
        tensors: The tensors of the checkpoint.
        values: The values in its header.
    """
    own_tensors, state = training.state()
    own = json.loads(json.dumps(state))
    if not isinstance(values, dict) or values.keys() != own.keys():
        return "other keys in its header"
    for key in ("groups", "schedules", "right"):
        if not _is_similar(values[key], own[key]):
            return f"other values of '{key}' in its header"
    problem = _position_problem(training, values)
    if problem is None and (logits := tensors.get(_LOGITS)) is not None:
        if not training.has_logits(logits, len(values["history"])):
            problem = f"another shape or type of '{_LOGITS}'"
        tensors = {name: tensor for name, tensor in tensors.items() if name != _LOGITS}
    return problem or _tensor_problem(training, tensors, own_tensors)


def _position_problem(training: Training, values: Mapping[str, Any]) -> str | None:
    done, since = values["done"], values["since"]
    if not _is_count(done) or done > training.total:
        return "a wrong number of steps"
    history = values["history"]
    if not isinstance(history, list) or not history or not all(map(_is_row, history)):
        return "an invalid history"
    if values["best_step"] is not None and not _is_count(values["best_step"]):
        return "an invalid 'best_step'"
    if not _is_similar(values["best_merit"], 0.0, finite=False) or not _is_count(values["waited"]):
        return "an invalid 'best_merit' or 'waited'"
    if not _is_similar(since, [0.0, 0.0, 0.0]) or not _is_count(since[1]):
        return "invalid sums"
    counted, right = values["right"]
    if not (_is_count(counted) and _is_count(right)) or right > counted:
        return "an invalid 'right'"
    if not _is_similar(values["spent"], 0.0) or values["spent"] < 0:
        return "an invalid 'spent'"
    return None


def _tensor_problem(
    training: Training, tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> str | None:
    wanted = {name: tensor for name, tensor in own.items() if not name.startswith("best.")}
    learnt = {name.partition(".")[2]: t for name, t in own.items() if name.startswith("learnt.")}
    if any(name.startswith("best.") for name in tensors):
        wanted |= {f"best.{name}": tensor for name, tensor in learnt.items()}
    # A parameter that no loss has reached, such as an unused pooler, has no state yet.
    reached = {name.rpartition(".")[0] for name in tensors if name.startswith("optimizer.")}
    for number, (parts, parameters) in enumerate(training.optimized()):
        for index, parameter in enumerate(parameters):
            if (place := f"optimizer.{number}.{index}") in reached:
                wanted |= {
                    f"{place}.{part}": parameter.new_zeros(()) if part == "step" else parameter
                    for part in parts
                }
    if tensors.keys() != wanted.keys():
        return f"other tensors, such as '{min(tensors.keys() ^ wanted.keys())}'"
    for name, tensor in wanted.items():
        if tensors[name].shape != tensor.shape or tensors[name].dtype != tensor.dtype:
            return f"another shape or type of '{name}'"
    return None


def _is_row(row: object) -> bool:
    if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
        return False
    for kind in (FitEpoch, PretrainEpoch, AdaptationEpoch):
        try:
            kind.model_validate(row | {"kept": False}, strict=True)
        except ValidationError:
            continue
        return _is_count(row["step"])
    return False


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_similar(value: object, own: object, *, finite: bool = True) -> bool:
    """Return whether two JSON values have the same structure, with numbers in the same places."""
    if isinstance(own, dict):
        return (
            isinstance(value, dict)
            and value.keys() == own.keys()
            and all(_is_similar(value[key], own[key]) for key in own)
        )
    if isinstance(own, list):
        return (
            isinstance(value, list) and len(value) == len(own) and all(map(_is_similar, value, own))
        )
    if isinstance(own, int | float) and not isinstance(own, bool):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (not finite or math.isfinite(value))  # type: ignore[arg-type]
    return type(value) is type(own)
