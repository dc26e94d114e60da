"""Commands import only the heavy packages that they use.

scipy is not tested, because the modelling code of transformers imports it itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.startup import RUN_COMMAND, run_process
from tests.support.command_line import thawline

DATA = ("--data", "thawline/reviews", "--limit", "40,20", "--max-length", "32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, toy_backbone) -> Path:
    """A folder with a run, in which the store holds the states of its texts."""
    folder = tmp_path_factory.mktemp("startup")
    run_process(
        RUN_COMMAND, ("fit", *DATA, "--backbone", str(toy_backbone()), "--out", "run"), folder
    )
    return folder


@pytest.fixture
def packages(folder):
    """Return a function that runs a command in a fresh process and returns what it imports."""

    def run(*arguments: object) -> set[str]:
        process = run_process(RUN_COMMAND, tuple(map(str, arguments)), folder)
        return {module.partition(".")[0] for module in process.modules}

    return run


def test_predict_imports_no_package_for_data_plots_or_adapters(packages):
    unused = {"sklearn", "pandas", "matplotlib", "datasketch", "peft", "pyarrow", "datasets"}
    found = packages("predict", "run", "a lovely film")
    assert "torch" in found
    assert found.isdisjoint(unused)


def test_evaluate_imports_no_package_for_plots_or_adapters(packages):
    found = packages("evaluate", "run")
    assert "pyarrow" in found
    assert found.isdisjoint({"sklearn", "pandas", "matplotlib", "datasketch", "peft", "datasets"})


def test_a_fit_from_a_filled_store_imports_no_package_for_adapters(packages, toy_backbone):
    found = packages("fit", *DATA, "--backbone", toy_backbone(), "--out", "second")
    assert "matplotlib" in found
    assert found.isdisjoint({"sklearn", "pandas", "datasketch", "peft", "datasets"})


def test_a_training_by_epochs_needs_no_sklearn(packages, toy_backbone):
    options = ("--strategy", "last:1", "--epochs", "1", "--out", "epochs")
    found = packages("fit", *DATA, "--backbone", toy_backbone(), *options)
    assert found.isdisjoint({"sklearn", "pandas", "datasketch", "peft", "datasets"})


def test_predict_with_adapters_imports_peft(packages, toy_backbone, folder):
    run = folder / "lora"
    options = ("--strategy", "lora:r=2", "--epochs", "1", "--out", run)
    fitted = thawline("fit", *DATA, "--backbone", toy_backbone(), *options)
    assert fitted.code == 0, fitted.err
    assert "peft" in packages("predict", run, "a lovely film")


def test_predict_without_a_backbone_imports_no_torch(packages, folder):
    fitted = thawline("fit", *DATA[:4], "--strategy", "tfidf", "--out", folder / "words")
    assert fitted.code == 0, fitted.err
    found = packages("predict", "words", "a lovely film")
    assert "sklearn" in found
    assert found.isdisjoint({"torch", "transformers", "peft", "matplotlib"})
