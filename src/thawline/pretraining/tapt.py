"""Train a backbone on its own objective, on the texts of a task, before a strategy (``tapt+S``).

The adapted backbone is kept in the folder ``adapted`` of Thawline's cache, under a digest of the
backbone, the texts and the settings. So all runs that need it share it, whatever their seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from transformers import PreTrainedModel

from thawline.backbones.copies import copy_base
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import ROW_SEED, Config, TrainingConfig
from thawline.data import LabelledTexts, Text
from thawline.data.texts import copy_key
from thawline.data.tokens import tokenize
from thawline.errors import ThawlineError
from thawline.inference.examples import TokenExamples
from thawline.pretraining.corpus import MINIMUM_TEXTS, hash_texts, read_texts
from thawline.pretraining.token_model import (
    TokenModel,
    build_token_model,
    check_predicts_tokens,
)
from thawline.pretraining.token_objective import Masking, TokenPrediction
from thawline.runs.lock import locked
from thawline.runs.records import AdaptationEpoch, AdaptedBackbone
from thawline.runtime.checksums import write_checksums
from thawline.runtime.devices import pick_device, pick_dtype
from thawline.runtime.files import make_folder, new_folder, remove
from thawline.runtime.hub import quieten_transformers
from thawline.runtime.paths import home
from thawline.runtime.progress import Reporter
from thawline.runtime.randomness import RandomStream
from thawline.runtime.untrusted import read_regular
from thawline.strategies import Tapt
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.kept import Row
from thawline.training.loop import train
from thawline.training.plan import Plan

SUMMARY = "tapt.json"
"""The file in the folder of an adapted backbone that says how it was trained."""

MAX_SUMMARY_BYTES = 2**20
"""The largest size of that file, in bytes."""

HELD_OUT, MAX_HELD_OUT = 0.05, 500
"""The share of the texts that the best weights are chosen on, and the largest number of them."""

HEAD_LR = 1e-3
"""The maximum learning rate of a new head that trains alone."""

_VERSION = 2
"""Part of the digest. It changes whenever the same settings give other weights."""

_TRAINING = TrainingConfig(keep="loss")
"""The training loop: its optimiser, its schedule and the size of its steps."""


@dataclass(frozen=True)
class Adaptation:
    """The training of a backbone on its own objective, before it runs.

    Attributes:
        backbone: The backbone.
        plan: The plan of the fit, whose maximum length is that of the texts.
        config: The settings of the fit.
        train: The texts to train on.
        held_out: The texts on which the best weights are chosen.
        unlabelled: The number of distinct texts that are not among those of train.
        removed: The number of distinct texts that were left out, because they are copies of
            validation or test texts.
    """

    backbone: Backbone
    plan: Plan
    config: Config
    train: list[Text]
    held_out: list[Text]
    unlabelled: int
    removed: int

    @property
    def folder(self) -> Path:
        """The folder of the adapted backbone, which need not exist."""
        return home() / "adapted" / self.digest

    @cached_property
    def texts_sha256(self) -> str:
        """The SHA-256 of the texts, in their order."""
        return hash_texts(self.train, self.held_out)

    @cached_property
    def digest(self) -> str:
        """A digest of everything that the weights of the adapted backbone depend on."""
        settings, device = self.config.tapt, pick_device(self.config.compute.device)
        values = {
            "version": _VERSION,
            "backbone": self.backbone.digest(),
            "texts": self.texts_sha256,
            "settings": [
                *(settings.epochs, settings.lr, settings.head_first_epochs, settings.mask_share)
            ],
            "reading": [self.plan.max_length, self.config.tokens.truncation_side],
            "dtype": pick_dtype(self.config.compute.dtype, device),
        }
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:32]

    def describe(self) -> str:
        """Return one line on the texts."""
        labelled = len(self.train) + len(self.held_out) - self.unlabelled
        return (
            f"tapt: {labelled:,} training texts and {self.unlabelled:,} unlabelled ones; "
            f"{self.removed:,} left out as copies of validation or test texts"
        )


def plan_adaptation(
    backbone: Backbone, plan: Plan, config: Config, parts: Mapping[str, LabelledTexts]
) -> Adaptation | None:
    """Read the texts for a strategy ``tapt+S`` and check them.

    Copies of validation and test texts are left out, even if they differ in case or white space.

    Args:
        backbone: The backbone.
        plan: The plan of the fit.
        config: The settings of the fit.
        parts: The labelled texts of each split.

    Returns:
        None if the strategy is another one.

    Raises:
        ThawlineError: If the backbone cannot predict tokens, if a file cannot be read, or if there
            are fewer than two texts.
    """
    if not isinstance(plan.strategy, Tapt):
        return None
    check_predicts_tokens(backbone)
    labelled = dict.fromkeys(parts["train"].texts)
    unlabelled = _read_unlabelled(config)
    scored = {
        copy_key(text) for name, part in parts.items() if name != "train" for text in part.texts
    }
    every = labelled | dict.fromkeys(unlabelled)
    texts = [text for text in every if copy_key(text) not in scored]
    if len(texts) < MINIMUM_TEXTS:
        raise ThawlineError(
            f"at least {MINIMUM_TEXTS} distinct texts for tapt+",
            f"{len(texts)}",
            "add texts with `tapt.unlabelled`",
            setting="tapt.unlabelled",
        )
    order = np.random.default_rng(ROW_SEED).permutation(len(texts))
    held_out = min(MAX_HELD_OUT, max(1, round(HELD_OUT * len(texts))))
    return Adaptation(
        backbone,
        plan,
        config,
        train=[texts[row] for row in order[held_out:]],
        held_out=[texts[row] for row in order[:held_out]],
        unlabelled=sum(text not in labelled for text in texts),
        removed=len(every) - len(texts),
    )


def _read_unlabelled(config: Config) -> list[Text]:
    """Read the unlabelled texts.

    Raises:
        ThawlineError: If a file cannot be read, or if it has no text.
    """
    try:
        return list(read_texts(config.tapt.unlabelled, config.data.text).distinct)
    except ThawlineError as error:
        setting = "tapt.unlabelled"
        raise ThawlineError(error.expected, error.found, error.fix, setting=setting) from error


def adapt_backbone(adaptation: Adaptation, reporter: Reporter) -> tuple[Backbone, AdaptedBackbone]:
    """Load the adapted backbone, and train it first if it is missing.

    A training that was stopped continues from its last checkpoint, whichever run it was part of.

    Args:
        adaptation: The training, from `plan_adaptation`.
        reporter: Receives progress and messages.

    Returns:
        The adapted backbone, and its part of the record.

    Raises:
        ThawlineError: If another process trains the same backbone, or if the loss is not finite.
    """
    folder, work = adaptation.folder, adaptation.folder.with_suffix(".work")
    reporter.message(adaptation.describe())
    found = _load(adaptation, reporter)
    if found is not None:
        return found
    make_folder(work)
    with locked(work):
        found = _load(adaptation, reporter)  # another process may have trained it
        if found is None:
            _train(adaptation, work, reporter)
    remove(work)
    if found is not None:
        return found
    return load_backbone(str(folder), adaptation.config.tokens), _read_summary(folder)


def _load(adaptation: Adaptation, reporter: Reporter) -> tuple[Backbone, AdaptedBackbone] | None:
    """Load a backbone that was adapted before. None if it is missing or damaged."""
    folder = adaptation.folder
    if not (folder / SUMMARY).is_file():
        return None
    try:
        backbone = load_backbone(str(folder), adaptation.config.tokens)
        summary = _read_summary(folder)
    except ThawlineError as error:
        reporter.message(f"tapt: '{folder}' is damaged ({error.found}); it is trained again")
        return None
    reporter.message(f"tapt: the adapted backbone in '{folder}' is used again")
    return backbone, summary.model_copy(update={"reused": True})


def _read_summary(folder: Path) -> AdaptedBackbone:
    content = read_regular(folder / SUMMARY, limit=MAX_SUMMARY_BYTES)
    try:
        return AdaptedBackbone.model_validate_json(content)
    except ValidationError as error:
        found = f"another content in {SUMMARY}"
        raise ThawlineError(f"an adapted backbone in '{folder}'", found, "delete it") from error


def _train(adaptation: Adaptation, work: Path, reporter: Reporter) -> None:
    """Train the backbone, and write it to its folder.

    A head with random weights would first pull the backbone in random directions. It is therefore
    trained alone before (A. Kumar et al., 2022, arXiv 2202.10054, for heads of classifiers). The
    head of a decoder is only a layer that shares the weights of the embeddings, and never trains
    alone.

    Args:
        adaptation: The training.
        work: The folder of the checkpoints.
        reporter: Receives progress.
    """
    backbone, config = adaptation.backbone, adaptation.config
    device = pick_device(config.compute.device)
    model, has_head = build_token_model(backbone)
    use_bf16 = pick_dtype(config.compute.dtype, device) == "bfloat16"
    module = TokenModel(model.to(device), use_bf16=use_bf16)
    objective = TokenPrediction(
        module,
        _examples(adaptation, adaptation.train),
        _examples(adaptation, adaptation.held_out),
        _masking(backbone, config.tapt.mask_share),
        _TRAINING,
        seed=0,
        random=RandomStream(0, device),
    )

    def run(epochs: int, lr: float, folder: str) -> list[Row]:
        return train(
            objective,
            _TRAINING,
            epochs=epochs,
            lr=lr,
            device=device,
            reporter=reporter,
            checkpoints=CheckpointFolder(work / folder),
            start_is_trained=True,
        )

    head_history: list[Row] = []
    if not has_head:
        reporter.message(
            f"tapt: '{backbone.name}' has no head that predicts tokens, so a new one is trained. "
            "This can make the backbone worse. Compare the result with the strategy without tapt+."
        )
        model.base_model.requires_grad_(False)
        if any(parameter.requires_grad for parameter in model.parameters()):
            head_history = run(config.tapt.head_first_epochs, HEAD_LR, "head")
        model.base_model.requires_grad_(True)
    history = run(config.tapt.epochs, config.tapt.lr, "checkpoints")
    if history[0]["kept"]:
        reporter.message(
            "tapt: no epoch lowered the loss on the held-out texts, so the pretrained weights are "
            "kept. Try a lower tapt.lr."
        )
    summary = AdaptedBackbone(
        folder=str(adaptation.folder),
        train=len(adaptation.train),
        held_out=len(adaptation.held_out),
        unlabelled=adaptation.unlabelled,
        removed=adaptation.removed,
        pretrained_head=has_head,
        objective="next token" if backbone.stack.family.causal else "masked tokens",
        head_history=[AdaptationEpoch(**row) for row in head_history],
        history=[AdaptationEpoch(**row) for row in history],
        seconds=sum(row["seconds"] or 0.0 for row in [*head_history, *history]),
    )
    _save(backbone, model, summary)


def _examples(adaptation: Adaptation, texts: list[Text]) -> TokenExamples:
    config = adaptation.config
    tokens = tokenize(
        adaptation.backbone.tokenizer,
        texts,
        max_length=adaptation.plan.max_length,
        truncation_side=config.tokens.truncation_side,
    )
    return TokenExamples(tokens, None, np.arange(len(texts)), config.compute.tokens_per_batch)


def _masking(backbone: Backbone, share: float) -> Masking | None:
    tokenizer = backbone.tokenizer
    if backbone.stack.family.causal:
        return None
    special = tuple(tokenizer.all_special_ids)
    return Masking(share, int(tokenizer.mask_token_id), special, len(tokenizer))


def _save(backbone: Backbone, model: PreTrainedModel, summary: AdaptedBackbone) -> None:
    """Write the trained base model to its folder, with all weights that the backbone has.

    Args:
        backbone: The backbone before the training.
        model: The trained model with its head.
        summary: The record of the training.
    """
    base = copy_base(backbone)
    # A model that predicts tokens has no pooler, so the pooler stays as it is.
    base.load_state_dict(model.base_model.state_dict(), strict=False)
    quieten_transformers()
    with new_folder(Path(summary.folder), replace=True) as temporary:
        base.save_pretrained(temporary)
        backbone.tokenizer.save_pretrained(temporary)
        (temporary / SUMMARY).write_text(summary.model_dump_json(indent=1), encoding="utf-8")
        write_checksums(temporary)
