"""The saved classifier: a folder that transformers can read where it should, and refuses where not.

Layout: ``config.json`` with labels, ``model.safetensors``, the tokenizer's files, and
``thawline.json`` with how texts are read. With a native head the folder is a plain transformers
model; any other head has a model type of its own, which `import thawline` registers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from thawline.backbones import Stack, settle_tokenizer
from thawline.backbones.parts import CONFIG, WEIGHTS, fault
from thawline.backbones.tokenizer import check_tokenizer
from thawline.compat import quieten_transformers, system_errors
from thawline.config import ComputeConfig
from thawline.data import Labels, Text
from thawline.errors import ThawlineError
from thawline.fitted import Fitted, Reading
from thawline.heads import parse_head
from thawline.inference import text_logits
from thawline.metrics import probabilities
from thawline.progress import Reporter
from thawline.runs import RECORD

FORMAT = 1
SETTINGS = "thawline.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
FOLDER = "model"
"""The artifact's folder within a run's."""

TOLERANCE = 1e-5
"""How far apart the same probabilities may lie in fp32, in this process and in a fresh one."""


def save(fitted: Fitted, folder: Path) -> None:
    """Write a classifier; the folder appears whole or not at all.

    Raises:
        ThawlineError: something is there already.
    """
    if folder.exists():
        raise ThawlineError("a new folder", f"'{folder}', which exists", "choose another --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        quieten_transformers()
        with system_errors(folder):
            _write(fitted, temporary)
            temporary.chmod(0o755)  # mkdtemp makes it private
            os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write(fitted: Fitted, folder: Path) -> None:
    fitted.tokenizer.model_max_length = fitted.reading.max_length
    # tokenizer.json is where other readers find the side that is cut off.
    fitted.tokenizer.truncation_side = fitted.reading.truncation_side
    fitted.tokenizer.backend_tokenizer.enable_truncation(
        fitted.reading.max_length, direction=fitted.reading.truncation_side
    )
    fitted.model.save_pretrained(folder, safe_serialization=True)
    fitted.tokenizer.save_pretrained(folder)
    settings = {
        "format": FORMAT,
        "labels": fitted.labels.to_dict(),
        "reading": asdict(fitted.reading),
        "head": str(fitted.head),
        "strategy": fitted.strategy,
        "backbone": fitted.backbone,
    }
    (folder / SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")


def find(path: Path) -> Path:
    """Return the artifact's folder: the path itself, or ``model`` within a run's folder.

    Raises:
        ThawlineError: there is none.
    """
    for folder in (path, path / FOLDER):
        if (folder / SETTINGS).is_file():
            return folder
    found = f"no {SETTINGS} in it or in its {FOLDER}/"
    if (path / RECORD).is_file():
        found = "a run that did not finish"
    elif not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
    raise ThawlineError(
        f"a run or a saved classifier at '{path}'", found, "give the folder that fit printed"
    )


def load(path: Path) -> Fitted:
    """Load a classifier from a run's or an artifact's folder, in fp32 and evaluation mode.

    Raises:
        ThawlineError: there is none, or parts of it are missing or damaged.
    """
    folder = find(path)
    quieten_transformers()
    try:
        settings = _read_settings(folder)
        reading = settings["reading"]
        model, info = AutoModelForSequenceClassification.from_pretrained(
            folder,
            dtype=torch.float32,
            output_loading_info=True,
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # `_check_weights` says which, in one line
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        check_tokenizer(str(folder), model.base_model, tokenizer)
        settle_tokenizer(model.base_model, tokenizer)
        fitted = Fitted(
            model=model.eval(),
            tokenizer=tokenizer,
            labels=Labels.from_dict(settings["labels"]),
            reading=Reading(**(reading | {"stages": tuple(reading["stages"])})),
            head=parse_head(settings["head"]),
            strategy=settings["strategy"],
            backbone=settings["backbone"],
        )
    except ThawlineError:
        raise
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ThawlineError(
            f"a whole saved classifier in '{folder}'",
            fault(folder, error, CONFIG, WEIGHTS),
            "save it again, or run fit again",
        ) from error
    _check_weights(folder, info)
    _check_stages(folder, fitted)
    _check_labels(folder, fitted)
    return fitted


def _read_settings(folder: Path) -> dict[str, Any]:
    """Return what `save` wrote beside the model; raise ValueError where a part is missing."""
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"a damaged {SETTINGS} ({error})") from error
    for key in ("format", "labels", "reading", "head", "strategy", "backbone"):
        if not isinstance(settings, dict) or key not in settings:
            raise ValueError(f"no '{key}' in {SETTINGS}")
    if settings["format"] != FORMAT:
        raise ThawlineError(
            f"a saved classifier of format {FORMAT}",
            f"format {settings['format']} in '{folder}'",
            "load it with the version of Thawline that saved it",
        )
    # For some families transformers makes up a tokenizer of no words where there is none.
    for name in TOKENIZER:
        if not (folder / name).is_file():
            raise ValueError(f"no {name}")
    return settings


def _check_weights(folder: Path, info: dict[str, Any]) -> None:
    """Raise ThawlineError unless the weights are those that config.json asks for, all of them."""
    wrong = [f"{name} missing" for name in sorted(info["missing_keys"])]
    wrong += [
        f"{name} of shape {tuple(found)} in place of {tuple(wanted)}"
        for name, found, wanted in sorted(info["mismatched_keys"])
    ]
    wrong += [f"{name}, which has no place" for name in sorted(info["unexpected_keys"])]
    if wrong:
        raise ThawlineError(
            f"the weights that config.json asks for in '{folder}'", wrong[0], "run fit again"
        )


def _check_stages(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError where the head would read stages that the backbone does not have."""
    read, depth = fitted.reading.stages, Stack(fitted.model.base_model).depth
    own = tuple(getattr(fitted.model.config, "stages", read))  # a native head has none
    if own != read or not set(read) <= set(range(depth + 1)):
        raise ThawlineError(
            f"the same stages, from 0 to {depth}, in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(map(str, own))} and {', '.join(map(str, read))}",
            "run fit again",
        )


def _check_labels(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError where transformers would name the classes in another way."""
    names = [name for _, name in sorted(fitted.model.config.id2label.items())]
    if names != list(fitted.labels.names):
        raise ThawlineError(
            f"the same labels in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(names)} and {', '.join(fitted.labels.names)}",
            "run fit again",
        )


class Prover:
    """A fresh process that will load an artifact and classify texts, to be compared with this one.

    It starts at once, so that what it has to import is ready when the artifact is.

    Args:
        device: that both classify on.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thawline.selftest"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def prove(self, fitted: Fitted, folder: Path, texts: Sequence[Text]) -> float:
        """Compare the probabilities of texts, computed here and by the fresh process, in fp32.

        Returns:
            The largest difference between two probabilities.

        Raises:
            ThawlineError: the fresh process failed, or a difference is above `TOLERANCE`.
        """
        compute = ComputeConfig(device=self._device, dtype="float32")
        here = probabilities(text_logits(fitted, texts, compute, Reporter()))
        there = self._ask(folder, texts)
        difference = float(np.abs(here - there).max())
        if not difference <= TOLERANCE:
            raise ThawlineError(
                f"the saved classifier to give the same probabilities within {TOLERANCE:g}",
                f"a difference of {difference:.3g}",
                "keep this folder and report it: the artifact cannot be trusted",
            )
        return difference

    def _ask(self, folder: Path, texts: Sequence[Text]) -> NDArray[np.float64]:
        question = json.dumps({"folder": str(folder), "texts": list(texts), "device": self._device})
        answer, complaint = self._process.communicate(question)
        if self._process.returncode != 0:
            raise ThawlineError(
                "a fresh process to load the saved classifier",
                (complaint.strip().splitlines() or ["no message"])[-1],
                f'try thawline predict {folder} "a text" --debug',
            )
        return np.array(json.loads(answer), dtype=np.float64)
