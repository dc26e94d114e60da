"""Write a classifier as an ONNX model, and load it again.

The folder has the layout of the library optimum: the model with the output ``logits``, a
``config.json`` with the labels, and the tokenizer. The settings of Thawline are beside them.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from thawline.artifact.checks import check_label_names
from thawline.artifact.damage import read_errors
from thawline.artifact.folder import load_saved_tokenizer
from thawline.artifact.settings import Settings
from thawline.artifact.words import save_words
from thawline.backbones.parts import CONFIG
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import save_tokenizer
from thawline.errors import ThawlineError
from thawline.inference.exported import INPUTS, OUTPUT, FittedOnnx, open_session, run_session
from thawline.inference.fitted import Fitted, label_maps
from thawline.inference.words import Words
from thawline.runs.layout import ONNX, ONNX_WEIGHTS
from thawline.runs.settings import FIX
from thawline.runtime.failures import first_line, is_out_of_memory
from thawline.runtime.hub import quieten_transformers
from thawline.runtime.packages import check_extra

OPSET = 18
"""The version of ONNX's operators. ONNX Runtime 1.14 and later run it."""

MAX_FILE_BYTES = 1_900_000_000
"""The largest weights, in bytes, that are kept in the ONNX file itself, whose limit is 2 GB."""

_HEAD = "head."
"""What the names of the nodes after the backbone begin with."""

_EXAMPLE_TOKENS = 16
"""The number of tokens of the two texts with which the model is traced."""


def check_onnx_packages(*, write: bool) -> None:
    """Check that the packages that read an ONNX model are installed.

    Args:
        write: Whether the model is also written, which needs further packages.

    Raises:
        ThawlineError: If one is missing.
    """
    check_extra("onnx", ("onnxruntime", "onnx", "onnxscript") if write else ("onnxruntime",))


def save_exported(fitted: Fitted, folder: Path) -> None:
    """Write a classifier as an ONNX model in fp32, with its tokenizer, config and settings.

    Args:
        fitted: The classifier, without adapters. It is moved to the CPU.
        folder: An empty folder.

    Raises:
        ThawlineError: If torch cannot export the model.
    """
    assert fitted.adapter is None, "adapters are merged before"
    quieten_transformers()
    _write_model(fitted.model.cpu().eval(), folder / ONNX)
    _tidy(folder / ONNX, f"model.{fitted.model.base_model_prefix}")
    _export_config(fitted).save_pretrained(folder)
    length, side = fitted.reading.max_length, fitted.reading.truncation_side
    save_tokenizer(fitted.tokenizer, folder, length, side)
    if fitted.words is not None:
        save_words(fitted.words, folder)
    replace(Settings.of(fitted), onnx="float32").write(folder)


def quantise(folder: Path) -> None:
    """Replace the weights of an exported classifier by 8-bit integers, in place.

    The weights of the products in the blocks get a scale for each output, and each table of
    embeddings gets one scale. The states are quantised when the model runs. The head keeps its
    weights, because it is small and its errors would reach the logits directly.

    Args:
        folder: The folder of a classifier in fp32, which `save_exported` has written.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    settings = Settings.read(folder)
    model = onnx.load(str(folder / ONNX), load_external_data=False)
    names = [node.name for node in model.graph.node if node.name.startswith(_HEAD)]
    head = [*names, *(f"{name}_MatMul" for name in names)]  # ONNX Runtime splits Gemm nodes
    with TemporaryDirectory(dir=folder) as place, quiet_exporters():
        quantize_dynamic(
            str(folder / ONNX),
            str(Path(place, ONNX)),
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=head,
            use_external_data_format=(folder / ONNX_WEIGHTS).exists(),
        )
        for part in (ONNX, ONNX_WEIGHTS):
            (folder / part).unlink(missing_ok=True)
            if Path(place, part).exists():
                Path(place, part).replace(folder / part)
    replace(settings, onnx="int8").write(folder)


def load_exported(folder: Path, settings: Settings, words: Words | None) -> FittedOnnx:
    """Load a classifier that was exported to ONNX.

    Args:
        folder: The folder of the artifact.
        settings: Its settings.
        words: The linear layer on words. None if the classifier has none.

    Raises:
        ThawlineError: If ONNX Runtime is not installed, or if a part is missing or damaged.
    """
    assert settings.onnx is not None
    check_onnx_packages(write=False)
    quieten_transformers()
    with read_errors(folder, CONFIG, (ONNX,)):
        check_label_names(folder, settings)
        tokenizer = load_saved_tokenizer(folder)
        fitted = FittedOnnx(
            session=open_session(folder / ONNX),
            tokenizer=tokenizer,
            precision=settings.onnx,
            words=words,
            **settings.described(),
        )
        _check_model(folder, fitted)
    return fitted


def _check_model(folder: Path, fitted: FittedOnnx) -> None:
    """Check that an ONNX model takes tokens and returns a logit for each label.

    Raises:
        ThawlineError: If it has other inputs or outputs.
        Exception: If the model fails on a text with the largest token id and of the maximum length.
    """
    inputs = {one.name for one in fitted.session.get_inputs()}
    outputs = [one.name for one in fitted.session.get_outputs()]
    if INPUTS[0] not in inputs or not inputs <= {*INPUTS} or outputs != [OUTPUT]:
        raise ThawlineError(
            f"a model with the output {OUTPUT} and inputs among {', '.join(sorted(INPUTS))} in "
            f"'{folder / ONNX}'",
            f"the inputs {', '.join(sorted(inputs))} and the outputs {', '.join(outputs)}",
            FIX,
        )
    largest = max(fitted.tokenizer.get_vocab().values())
    ids = np.full((2, fitted.reading.max_length), largest, dtype=np.int64)
    logits = run_session(fitted.session, {INPUTS[0]: ids})
    if logits.shape != (2, len(fitted.labels)) or not np.isfinite(logits).all():
        raise ThawlineError(
            f"a model with a finite logit for each of {len(fitted.labels)} labels in "
            f"'{folder / ONNX}'",
            f"logits of shape {logits.shape}",
            FIX,
        )


class _Classifier(nn.Module):
    """A model as a function of its inputs by position, whose only output is the logits."""

    def __init__(self, model: PreTrainedModel, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self._names = model, names
        is_causal = Stack(model.base_model).family.causal
        self._options = {"use_cache": False} if is_causal else {}

    def forward(self, *inputs: Tensor) -> Tensor:
        named = dict(zip(self._names, inputs, strict=True))
        logits: Tensor = self.model(**named, **self._options).logits
        return logits


def _write_model(model: PreTrainedModel, file: Path) -> None:
    names = INPUTS if Stack(model.base_model).family.token_types else INPUTS[:2]
    # The first text is full and the second one is padded, so that no branch is fixed.
    ids = torch.full((2, _EXAMPLE_TOKENS), model.config.pad_token_id, dtype=torch.int64)
    ids[0], ids[1, : _EXAMPLE_TOKENS // 2] = 1, 1
    mask = torch.ones_like(ids)
    mask[1, _EXAMPLE_TOKENS // 2 :] = 0
    example = (ids, mask, torch.zeros_like(ids))[: len(names)]
    axes: Any = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    size = sum(one.numel() * one.element_size() for one in model.parameters())
    try:
        with torch.no_grad(), quiet_exporters():
            torch.onnx.export(
                _Classifier(model, names),
                example,
                str(file),
                input_names=list(names),
                output_names=[OUTPUT],
                dynamic_shapes=((axes,) * len(names),),
                opset_version=OPSET,
                dynamo=True,
                external_data=size > MAX_FILE_BYTES,
                verbose=False,
            )
    except Exception as error:  # the exporter raises many types
        if is_out_of_memory(error) or isinstance(error, OSError):  # the disk may be full
            raise
        first: BaseException = error  # the exporter's own error only names the step that failed
        while (earlier := first.__cause__ or first.__context__) is not None:
            first = earlier
        if "KeyboardInterrupt" in f"{type(first).__name__} {first}":  # torch converts Ctrl-C
            raise KeyboardInterrupt from error
        raise ThawlineError(
            f"a model that torch can export to ONNX, of the type '{model.config.model_type}'",
            first_line(first),
            "use the run itself, which predict, serve and score read as well",
        ) from error


def _tidy(file: Path, base: str) -> None:
    """Mark the nodes of the head by their names, and remove what the exporter notes about its code.

    These notes contain the paths of source files on this machine.

    Args:
        file: The ONNX model, which is changed in place.
        base: The name of the base model in the module that was exported.
    """
    import onnx

    model = onnx.load(str(file), load_external_data=False)
    for node in model.graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        if f"'{base}." not in notes.get("pkg.torch.onnx.name_scopes", ""):
            node.name = _HEAD + node.name
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.ClearField("metadata_props")
    for tensor in model.graph.initializer:
        tensor.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.save(model, str(file))


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Keep the messages of the libraries that write ONNX models off the terminal.

    Their errors are logged with tracebacks before they are raised.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _export_config(fitted: Fitted) -> Any:
    """Return the config of an exported classifier.

    It is that of the backbone's family, with the labels, because the ONNX model includes the head,
    whatever its form. So every program that reads such a folder knows the type of the model. The
    logits of a classifier that also reads words are incomplete, so its config says that it needs
    Thawline.
    """
    config = fitted.model.config
    if fitted.words is not None:
        copied = type(config).from_dict(config.to_dict())
        copied.words = True
        return copied
    base = fitted.model.base_model.config
    copied = type(base).from_dict(base.to_dict())
    copied.update(label_maps(fitted.labels))
    built = AutoModelForSequenceClassification._model_mapping.get(type(base), None)
    copied.architectures = None if built is None else [built.__name__]
    return copied
