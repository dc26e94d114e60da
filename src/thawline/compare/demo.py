"""The demonstration: a ladder on some of the packaged reviews, and some predictions."""

from __future__ import annotations

from pathlib import Path

from thawline import artifact
from thawline.compare.ladder import run_ladder
from thawline.config import (
    ComputeConfig,
    Config,
    DataConfig,
    DemoConfig,
    LadderConfig,
    TokensConfig,
)
from thawline.evaluation.metrics import probabilities
from thawline.inference.prediction import text_predictions
from thawline.inference.predictor import Predictor
from thawline.runs.layout import LADDER
from thawline.runs.records import LadderRecord, Predictions, write_record
from thawline.runtime.progress import Reporter


def demo_ladder(config: DemoConfig) -> LadderConfig:
    """Return the settings of the ladder of the demonstration."""
    fit = Config(
        backbone=config.backbone,
        data=DataConfig(
            data=config.data, limit=config.limit, validation_share=config.validation_share
        ),
        tokens=TokensConfig(max_length=config.max_length),
        compute=ComputeConfig(device=config.device),
    )
    return LadderConfig(rungs=config.rungs, seeds=(config.seed,), budget=0, fit=fit)


def run_demo(config: DemoConfig, folder: Path, reporter: Reporter) -> LadderRecord:
    """Run the ladder, then classify the sample texts with the run to use.

    Args:
        config: The settings, including the sample texts.
        folder: The folder of the ladder.
        reporter: Shows progress and warnings.

    Returns:
        The record of the ladder, with the predictions.

    Raises:
        ThawlineError: If a setting is invalid or the ladder fails, as in `run_ladder`.
    """
    record = run_ladder(demo_ladder(config), folder, reporter)
    run = record.chosen.run
    fitted = artifact.load(folder / run)
    compute = ComputeConfig(device=config.device, dtype="float32")
    shares = probabilities(Predictor(fitted, compute, use_store=False).logits(config.texts))
    texts = [one.to_dict() for one in text_predictions(fitted, config.texts, shares)]
    predictions = Predictions.model_validate({"run": run, "texts": texts})
    record = record.model_copy(update={"predictions": predictions})
    write_record(folder / LADDER, record)
    return record
