"""The demonstration: a ladder and three texts; and from an installed wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command_line import ProverHere
from tests.support.pages import ROOT
from thawline import artifact
from thawline.compare.demo import demo_ladder, run_demo
from thawline.config import DemoConfig
from thawline.runs.records import read_record
from thawline.runtime.progress import Reporter


def test_the_ladder_is_that_of_the_settings():
    ladder = demo_ladder(replace(DemoConfig(), seed=7, limit=(30, 20), max_length=9))
    assert ladder.seeds == (7,)
    assert ladder.fit.data.limit == (30, 20)
    assert ladder.fit.tokens.max_length == 9
    assert [rung.split()[0] for rung in ladder.rungs] == ["tfidf", "head", "last:1", "full"]
    assert ladder.fit.backbone == "thawline/qwen3-mini"
    assert ladder.fit.data.data == "thawline/reviews"


def test_the_run_to_use_reads_the_texts(toy_backbone, monkeypatch):
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    config = replace(
        DemoConfig(),
        backbone=str(toy_backbone()),
        rungs=("head", "last:1 training.epochs=1"),
        limit=(60, 20),
        max_length=24,
    )
    record = run_demo(config, Path("demo"), Reporter())
    written = json.loads(Path("demo/ladder.json").read_text(encoding="utf-8"))
    assert written == record.to_dict()
    assert read_record(Path("demo")) == record
    assert [one.text for one in record.predictions.texts] == list(config.texts)
    assert record.predictions.run == record.chosen.run
    for one in record.predictions.texts:
        assert one.neg_prob + one.pos_prob == pytest.approx(1)
    sizes = {name: part.rows for name, part in record.data.protocol.splits.items()}
    assert sizes == {"train": 45, "validation": 15, "test": 20}


@pytest.mark.slow
def test_the_demonstration_runs_from_a_wheel_away_from_the_checkout(toy_backbone, tmp_path):
    places = ("checkout", "wheels", "installed", "away")
    checkout, wheels, installed, away = (tmp_path / name for name in places)
    away.mkdir()
    shutil.copytree(
        ROOT / "src" / "thawline", checkout / "src" / "thawline"
    )  # a build leaves files
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, checkout)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    alone = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *alone, "--no-build-isolation", "--wheel-dir", wheels, checkout]
    subprocess.run(build, check=True)
    (wheel,) = wheels.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("train.parquet", "test.parquet", "README.md"):
        assert f"thawline/embedded/reviews/{file}" in names
    assert "thawline/py.typed" in names
    subprocess.run([*pip, "install", *alone, "--target", installed, wheel], check=True)
    small = ["--limit", "60,20", "--max-length", "24", "--set", 'rungs=["head", "last:1"]']
    done = subprocess.run(
        [sys.executable, "-m", "thawline", "demo", "--backbone", toy_backbone(), *small],
        cwd=away,
        env=os.environ | {"PYTHONPATH": str(installed), "THAWLINE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "verdict" in done.stdout
    where = [sys.executable, "-c", "import thawline; print(thawline.__file__)"]
    path = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run(where, cwd=away, env=path, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(installed)
    names = {path.name for path in (away / "runs" / "demo").iterdir()}
    assert {"ladder.json", "rungs.png", "curves.svg", "head-seed-0", "last-1-seed-0"} <= names
