"""The demonstration: a ladder on few of the embedded reviews, and three texts to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from thawline import artifact
from thawline.compare.ladder import LADDER, run_ladder
from thawline.config import (
    ComputeConfig,
    Config,
    DataConfig,
    DemoConfig,
    LadderConfig,
    TokensConfig,
)
from thawline.evaluation.metrics import probabilities
from thawline.inference.predictor import Predictor, prediction_records
from thawline.runs.folder import write_json
from thawline.runtime.progress import Reporter


def demo_ladder(config: DemoConfig) -> LadderConfig:
    """Return the ladder that the demonstration climbs."""
    fit = Config(
        backbone=config.backbone,
        data=DataConfig(
            data=config.data, limit=config.limit, validation_share=config.validation_share
        ),
        tokens=TokensConfig(max_length=config.max_length),
        compute=ComputeConfig(device=config.device),
    )
    return LadderConfig(rungs=config.rungs, seeds=(config.seed,), fit=fit)


def run_demo(config: DemoConfig, folder: Path, reporter: Reporter) -> dict[str, Any]:
    """Climb the ladder, then let the classifier that the verdict names read some texts.

    Args:
        config: what the ladder is made of, and the texts.
        folder: of the ladder.
        reporter: told of progress.

    Returns:
        The record of the ladder, as `run_ladder` returns it, with ``predictions``: the ``run`` that
        made them and, in ``texts``, one dict each.

    Raises:
        ThawlineError: whatever `run_ladder` raises.
    """
    record = run_ladder(demo_ladder(config), folder, reporter)
    (run,) = [
        rung["runs"][0]["run"]
        for rung in record["rungs"]
        if rung["rung"] == record["verdict"]["rung"]
    ]
    fitted = artifact.load(folder / run)
    compute = ComputeConfig(device=config.device, dtype="float32")
    shares = probabilities(Predictor(fitted, compute, use_store=False).logits(config.texts))
    texts = prediction_records(fitted, config.texts, shares)
    record["predictions"] = {"run": run, "texts": texts}
    write_json(folder / LADDER, record)
    return record
