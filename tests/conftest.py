"""Fixtures: toy backbones, toy texts, and an empty store and working folder for each test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support.toys import (
    BAD,
    GOOD,
    WORDS,
    enlarge_head,
    save_writer,
    toy_config,
    toy_tokenizer,
)

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# The duration of an example depends on the load of the machine, so it has no deadline.
hypothesis.settings.register_profile("thawline", deadline=None)
hypothesis.settings.load_profile("thawline")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `make errors-update` uses."""
    parser.addoption("--update-errors", action="store_true", help="rewrite docs/errors.md")
    parser.addoption("--update-pages", action="store_true", help="rewrite output shown in docs/")


def pytest_collection_finish() -> None:
    """Let the garbage collector ignore all modules that the tests have imported.

    `run_ladder` collects before each run, which takes half a second if it visits them.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own empty store and working folder."""
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "home"))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no plots of a fit, which takes about half of the time with a toy."""
    monkeypatch.setattr("thawline.jobs.fit._draw", lambda *given: [])


@pytest.fixture
def mounted_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a disk of a size such as ``16k``. Skip if that is forbidden."""
    folder = tmp_path / "disk"

    def mount(size: str) -> Path:
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("this user may not mount a disk")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="session")
def toy_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns the folder of a saved toy backbone of a family."""
    folders: dict[str, Path] = {}

    def make(family: str = "bert") -> Path:
        if family not in folders:
            import torch
            from transformers import AutoModel

            folder = tmp_path_factory.mktemp(family)
            torch.manual_seed(0)
            AutoModel.from_config(toy_config(family)).save_pretrained(folder)
            toy_tokenizer(causal=family in ("qwen3", "llama", "gpt2")).save_pretrained(folder)
            folders[family] = folder
        return folders[family]

    return make


@pytest.fixture(scope="session")
def toy_writer(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that returns the folder of a saved toy language model of a family."""
    folders: dict[str, Path] = {}

    def make(family: str = "qwen3") -> Path:
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(f"writer-{family}")
            save_writer(folders[family], family)
        return folders[family]

    return make


@pytest.fixture(scope="session")
def trained_toy(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path_factory: pytest.TempPathFactory,
):
    """Return a function that trains a classifier once. Tests share it and must not change it."""
    trained = {}

    def train(family: str = "bert", head: str = "linear"):
        if (family, head) not in trained:
            from thawline import TextClassifier

            settings = {"linear": {"features": "layers"}, "native": {"epochs": 2, "lr": 1e-2}}
            own = settings.get(head, {"features": "layers", "epochs": 2, "lr": 1e-2})
            classifier = TextClassifier(
                toy_backbone(family), head=head, dtype="float32", labels=("neg", "pos"), **own
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("trained")))
                trained[family, head] = classifier.fit(*toy_reviews(64))
            if head == "native":
                enlarge_head(classifier.fitted_.head_module())
        return trained[family, head]

    return train


@pytest.fixture(scope="session")
def toy_reviews() -> Callable[..., tuple[list[str], list[int]]]:
    """Return a function that makes texts of 3 to 60 words, some of which indicate the class."""

    def make(rows: int, seed: int = 0) -> tuple[list[str], list[int]]:
        import numpy as np

        random = np.random.default_rng(seed)
        labels = (np.arange(rows) % 2).tolist()
        texts = []
        for row, label in enumerate(labels):
            words = random.choice(WORDS, size=random.integers(3, 60)).tolist()
            cues = random.choice(GOOD if label else BAD, size=max(1, len(words) // 3)).tolist()
            texts.append(" ".join([f"film {row}", *cues, *words]))
        return texts, labels

    return make


@pytest.fixture(scope="session")
def distilbert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Save a model with the config of DistilBERT and weights of zeros in bf16."""
    import shutil

    import torch
    from transformers import DistilBertConfig, DistilBertModel

    folder = tmp_path_factory.mktemp("distilbert") / "distilbert"
    with torch.device("meta"):
        model = DistilBertModel(DistilBertConfig()).to(torch.bfloat16)
    model = model.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    model.save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    yield folder
    shutil.rmtree(folder)
