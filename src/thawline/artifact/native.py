"""Turn a classifier with one of Thawline's heads into a sequence classifier of transformers.

The families' own heads contain more layers than a linear head. Their weights can be chosen so that
these layers pass the logits on:

- ReLU (DistilBERT): ``relu(x) - relu(-x) = x``, so the first layer holds ``W`` and ``-W``.
- tanh (BERT, RoBERTa): ``tanh(x / s) * s`` is ``x`` up to the relative error ``(x / s)^2 / 3``. The
  states have a largest norm, because the last layer is a layer norm, and ``s`` is many times the
  largest logit.
- Layer norm (ModernBERT): with two further units of values ``M`` and ``-M``, the variance is
  constant up to the relative error ``(x / M)^2``, and a unit of value 0 shows the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from thawline.backbones.stack import Stack
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted, label_maps
from thawline.models.specs import HeadSpec
from thawline.runtime.randomness import building

_TANH_RANGE = 1024.0
"""How many times the largest possible logit the scale before tanh is. Few logits come near it."""

_CONSTANT = 300.0
"""How many times the largest possible logit the constant units before a layer norm are."""

Layers = list[nn.Linear]
"""The linear layers of a head: one of a linear head, two of an MLP."""


@dataclass(frozen=True)
class _Holder:
    """A family whose own head can hold a head of Thawline.

    Attributes:
        heads: The kinds of head that it can hold.
        poolings: The poolings that its own head can read.
        width: Returns the number of hidden units that are needed for some layers.
        write: Writes the layers into a classifier. The last argument is the largest norm of the
            states.
        settings: Changes to the config, by the pooling.
        is_cut: Whether blocks after the stage that the head reads can be left out, because the
            family normalises the states at the end of each block.
    """

    heads: tuple[str, ...]
    poolings: tuple[str, ...]
    width: Callable[[Layers], int]
    write: Callable[[PreTrainedModel, Layers, float], None]
    settings: Callable[[str], dict[str, Any]] = lambda pooling: {}
    is_cut: bool = True


def as_native(fitted: Fitted) -> Fitted:
    """Return a classifier whose model is a sequence classifier of transformers.

    Args:
        fitted: The classifier, without adapters. It is not changed, and may share weights with the
            result.

    Raises:
        ThawlineError: If the head of the family cannot compute the same logits.
    """
    assert fitted.adapter is None, "adapters are merged before"
    base = fitted.model.base_model
    kind = base.config.model_type
    if fitted.words is not None or kind == "thawline-glove":
        part = "TF-IDF features" if fitted.words is not None else "the GloVe encoder"
        raise ThawlineError(
            "a classifier that transformers can run alone",
            f"one with {part}, which only Thawline contains",
            "use `to=onnx`",
            setting="to",
        )
    if fitted.head.kind == "native":
        return fitted
    holder, stage = _find_holder(fitted), fitted.reading.stages[0]
    layers = [layer for layer in fitted.head_module().children() if isinstance(layer, nn.Linear)]
    needed, width = holder.width(layers), base.config.hidden_size
    if needed > width:
        raise ThawlineError(
            f"a head with at most {width} hidden units, as in the head of {kind}",
            f"{fitted.head} for {len(fitted.labels)} labels, which needs {needed}",
            "use `to=onnx`",
            setting="to",
        )
    model = _build(fitted, stage, holder.settings(fitted.reading.pooling))
    with torch.no_grad():
        holder.write(model, layers, _largest_norm(Stack(model.base_model)))
    reading = replace(fitted.reading, stages=(stage,))
    return replace(fitted, model=model.eval(), head=HeadSpec("native"), reading=reading)


def _find_holder(fitted: Fitted) -> _Holder:
    """Return how the family's own head can hold the head of a classifier.

    Raises:
        ThawlineError: If it cannot.
    """
    reading, stack = fitted.reading, Stack(fitted.model.base_model)
    kind, stages = stack.model.config.model_type, reading.stages
    found = f"the head '{fitted.head}' on the pooling '{reading.pooling}' of "
    several = "stage" if len(stages) == 1 else "the stages"
    found += f"{several} {', '.join(map(str, stages))}"
    holder = _HOLDERS.get(kind)
    if holder is None:
        raise ThawlineError(
            f"a head that the sequence classifier of {kind} in transformers can hold, which is "
            "only its own (`head.head=native`)",
            f"{found}, whose biases have no place in it",
            "use `to=onnx`, or fit again with `head.head=native`",
            setting="to",
        )
    whole = stages[-1:] == (stack.depth,) or (holder.is_cut and fitted.is_frozen())
    fits = fitted.head.kind in holder.heads and reading.pooling in holder.poolings
    if not (fits and whole and len(stages) == 1):
        heads = " or ".join("mlp:N" if head == "mlp" else head for head in holder.heads)
        where = "one stage" if holder.is_cut else f"stage {stack.depth}"
        raise ThawlineError(
            f"a head that the sequence classifier of {kind} in transformers can hold: {heads} on "
            f"the pooling {' or '.join(holder.poolings)} of {where}, or native",
            found,
            "use `to=onnx`, or fit again with `head.head=linear`, "
            f"`head.pooling={holder.poolings[-1]}` and `head.features=last`",
            setting="to",
        )
    return holder


def _build(fitted: Fitted, depth: int, settings: dict[str, Any]) -> PreTrainedModel:
    """Return the family's classifier with the weights of a base model and a random head.

    Args:
        fitted: The classifier with the base model.
        depth: The number of blocks to keep.
        settings: Changes to the config.
    """
    base = fitted.model.base_model
    config = type(base.config).from_dict(base.config.to_dict())
    config.update({"num_hidden_layers": depth, **settings})
    config.num_labels = len(fitted.labels)
    config.update(label_maps(fitted.labels))
    with building():
        model: PreTrainedModel = AutoModelForSequenceClassification.from_config(
            config, trust_remote_code=False
        )
    missing, _ = model.base_model.load_state_dict(base.state_dict(), strict=False)
    assert all(name.startswith("pooler.") for name in missing), missing
    return model.float()


def _largest_norm(stack: Stack) -> float:
    """Return the largest norm that a state of the last stage can have after its layer norm."""
    parts = [module for top in stack.modules_of(stack.depth) for module in top.modules()]
    norm = [module for module in parts if isinstance(module, nn.LayerNorm)][-1]
    bias = 0.0 if norm.bias is None else float(norm.bias.norm())
    return math.sqrt(norm.normalized_shape[0]) * float(norm.weight.abs().max()) + bias


def _largest_logit(layer: nn.Linear, limit: float) -> float:
    """Return a bound of a layer's outputs for inputs up to a norm."""
    return max(float(layer.weight.norm()) * limit + float(layer.bias.norm()), 1e-6)


def _fill(layer: nn.Linear, weight: Tensor, bias: Tensor | None = None) -> None:
    """Write a weight and a bias into the first rows and columns of a layer; the rest is 0."""
    layer.weight.zero_()
    layer.weight[: weight.shape[0], : weight.shape[1]] = weight
    if layer.bias is not None:
        layer.bias.zero_()
        if bias is not None:
            layer.bias[: len(bias)] = bias


def _write_relu(model: PreTrainedModel, layers: Layers, limit: float) -> None:
    first, last = model.pre_classifier, layers[-1]
    if len(layers) == 2:
        _fill(first, layers[0].weight, layers[0].bias)
        _fill(model.classifier, last.weight, last.bias)
        return
    # The bias is added here, because the sum can be much smaller than its two parts.
    _fill(first, torch.cat([last.weight, -last.weight]), torch.cat([last.bias, -last.bias]))
    identity = torch.eye(last.out_features)
    _fill(model.classifier, torch.cat([identity, -identity], dim=1))


def _write_tanh(model: PreTrainedModel, layers: Layers, limit: float) -> None:
    (layer,) = layers
    scale = _TANH_RANGE * _largest_logit(layer, limit)
    pooler = getattr(model.base_model, "pooler", None)
    dense = model.classifier.dense if pooler is None else pooler.dense
    output = model.classifier.out_proj if pooler is None else model.classifier
    _fill(dense, layer.weight / scale, layer.bias / scale)
    _fill(output, scale * torch.eye(layer.out_features))


def _write_layer_norm(model: PreTrainedModel, layers: Layers, limit: float) -> None:
    (layer,) = layers
    dense, norm, labels = model.head.dense, model.head.norm, layer.out_features
    constant = _CONSTANT * _largest_logit(layer, limit)
    _fill(dense, layer.weight, torch.cat([layer.bias, torch.tensor([constant, -constant])]))
    norm.weight.fill_(1)
    if norm.bias is not None:
        norm.bias.zero_()
    deviation = math.sqrt(2 * constant**2 / dense.out_features + norm.eps)
    readout = torch.zeros(labels, dense.out_features)
    readout[:, :labels] = deviation * torch.eye(labels)
    readout[:, labels + 2] = -deviation  # this unit has the value 0, minus the mean
    _fill(model.classifier, readout)


def _labels(layers: Layers) -> int:
    return layers[-1].out_features


_TANH = _Holder(("linear",), ("first",), _labels, _write_tanh)
_HOLDERS = {
    "bert": _TANH,
    "roberta": _TANH,
    "xlm-roberta": _TANH,
    "distilbert": _Holder(
        ("linear", "mlp"),
        ("first",),
        lambda layers: 2 * _labels(layers) if len(layers) == 1 else layers[0].out_features,
        _write_relu,
    ),
    "modernbert": _Holder(
        ("linear",),
        ("first", "mean"),
        lambda layers: _labels(layers) + 3,
        _write_layer_norm,
        lambda pooling: {
            "classifier_pooling": "mean" if pooling == "mean" else "cls",
            "classifier_activation": "linear",
            "classifier_bias": True,
        },
        is_cut=False,
    ),
}
"""How the head of each family holds a head of Thawline. The heads of decoders have no bias."""
