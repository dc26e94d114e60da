"""Every reader of files that may come from a stranger, with valid files to mutate."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from tests.support.artifacts import sign, without_checksums
from tests.support.fuzzing.harness import Target
from tests.support.language_toys import toy_job, toy_texts
from tests.support.loops import objective
from tests.support.records import (
    fit_record,
    ladder_record,
    pretrain_record,
    rung_record,
    tune_record,
)
from tests.support.store_toys import KEY, LINE_KEY, TEXTS, fill, is_right
from tests.support.toys import WORDS, save_writer, toy_config, toy_tokenizer
from thawline.config import (
    Config,
    DataConfig,
    LadderConfig,
    PretrainConfig,
    TrainingConfig,
    TuneConfig,
)
from thawline.config.resolve import config_to_toml, resolve_config
from thawline.data.dataset import Dataset
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.loop import describe_evaluation
from thawline.training.steps import Training

ROWS = [
    (f"film {n} was {WORDS[n % 50]}, and {WORDS[n % 7]}", ("neg", "pos")[n % 2]) for n in range(24)
]
PROBES = ["a good film", "the plot was dull and long and the cast was poor", "so it was", ""]


# -- data -----------------------------------------------------------------------------------------


def table_bytes(suffix: str) -> bytes:
    """Return the content of a table of `ROWS`."""
    import pandas as pd

    frame = pd.DataFrame(ROWS, columns=["text", "label"])
    if suffix == "parquet":
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    if suffix == "txt":
        return "".join(f"__label__{label} {text}\n" for text, label in ROWS).encode()
    if suffix == "json":
        return frame.to_json(orient="records").encode()
    if suffix == "jsonl":
        return frame.to_json(orient="records", lines=True).encode()
    return frame.to_csv(index=False, sep="\t" if suffix == "tsv" else ",").encode()


def make_table(name: str, folder: Path) -> None:
    suffixes = name.split(".")[1:]
    content = table_bytes(suffixes[0] if suffixes[0] != "zip" else "csv")
    if suffixes[-1] == "gz":
        content = gzip.compress(content, mtime=0)
    if suffixes[-1] == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("data.csv"), content)
        content = buffer.getvalue()
    (folder / name).write_bytes(content)


def make_semicolons(folder: Path) -> None:
    lines = [f"{text};{label}\n" for text, label in ROWS]
    (folder / "s.txt").write_text("".join(lines), encoding="utf-8")


def make_class_folders(folder: Path) -> None:
    for split in ("train", "test"):
        for number, (text, label) in enumerate(ROWS):
            file = folder / "set" / split / label / f"{number}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{split} {text}\n", encoding="utf-8")


def make_archive(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        make_class_folders(Path(place))
        with tarfile.open(folder / "set.tar.gz", "w:gz") as archive:
            archive.add(Path(place, "set"), "set")


def make_split_files(folder: Path) -> None:
    for split in ("train", "validation", "test"):
        rows = "".join(
            f'{{"text": "{split} {text}", "label": "{label}"}}\n' for text, label in ROWS
        )
        (folder / f"{split}.jsonl").write_text(rows, encoding="utf-8")


def read_data(name: str, folder: Path) -> object:
    """Read the data set, each of its splits, and its texts as `predict` reads them."""
    from thawline.data.loading import load
    from thawline.jobs.predict import read_file

    path = folder / name if name else folder
    config = DataConfig(data=str(path), max_file_bytes=2**24)
    found: list[Any] = []
    for read in (
        lambda: inspect(load(config)),
        lambda: read_file(str(path), None, Reporter()) if path.is_file() else None,
    ):
        try:
            found.append(read())
        except ThawlineError as error:
            found.append(error)
    errors = [value for value in found if isinstance(value, ThawlineError)]
    if len(errors) == len(found):
        raise errors[0]
    return [str(value) for value in found]


def inspect(dataset: Dataset) -> list[object]:
    """Inspect a data set as `fit` does, and return its digest and the findings."""
    from thawline.config import PreflightConfig
    from thawline.data.lengths import Tokenization
    from thawline.data.preflight.inspection import inspect_dataset

    tokenization = Tokenization(tokenizer(), 40, "right")
    survey = inspect_dataset(dataset, tokenization, PreflightConfig(), Reporter(), quick=True)
    return [dataset.digest, survey.findings, dataset.warnings]


@cache
def tokenizer() -> Any:
    return toy_tokenizer()


# -- settings -------------------------------------------------------------------------------------


def make_config(job: type, verb: str, folder: Path) -> None:
    (folder / "config.toml").write_text(config_to_toml(job(), verb), encoding="utf-8")


def read_config(job: type, folder: Path) -> object:
    config = resolve_config(config_type=job, file=folder / "config.toml")
    assert resolve_config(config_type=job, saved=folder / "config.toml") == config
    return config


# -- records --------------------------------------------------------------------------------------


def make_record(kind: str, folder: Path) -> None:
    record = {
        "fit": fit_record,
        "pretrain": pretrain_record,
        "ladder": lambda: ladder_record([rung_record("head"), rung_record("full", 0.7)]),
        "tune": tune_record,
    }[kind]()
    name = {"ladder": "ladder.json", "tune": "tune.json"}.get(kind, "record.json")
    (folder / name).write_text(json.dumps(record.to_dict()), encoding="utf-8")


def read_record_completely(folder: Path) -> object:
    """Read a record, and use it as `info`, `evaluate` and `--resume` do."""
    from thawline.config.resolve import config_from_record
    from thawline.runs.folder import same_settings, seconds_of_starts
    from thawline.runs.layout import find, read_status
    from thawline.runs.records import TuneRecord, read_record

    read_status(folder)
    record = read_record(folder)
    if not isinstance(record, TuneRecord):
        seconds_of_starts(record, folder)
    same_settings(folder / "config.toml", record.config)
    try:
        find(folder)
    except ThawlineError:
        pass
    else:
        raise AssertionError
    values = record.to_dict()
    if (folder / "record.json").is_file():
        config_from_record(values, folder / "record.json", "data", "tokens")
    return None


# -- models ---------------------------------------------------------------------------------------


@cache
def _workspace() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for models that several targets copy. It is removed when Python ends."""
    return tempfile.TemporaryDirectory(prefix="thawline-fuzzing-")


def _new_folder(name: str) -> Path:
    folder = Path(_workspace().name, name)
    folder.mkdir()
    return folder


@cache
def saved_backbone(family: str) -> Path:
    import torch
    from transformers import AutoModel

    folder = _new_folder(family)
    torch.manual_seed(0)
    AutoModel.from_config(toy_config(family)).save_pretrained(folder)
    toy_tokenizer(causal=family in ("qwen3", "llama")).save_pretrained(folder)
    return folder


ARTIFACTS = {
    "head": ("head", "linear"),
    "native": ("head", "native"),
    "lora": ("lora:r=2", "linear"),
    "tfidf": ("tfidf", "linear"),
    "head+tfidf": ("head+tfidf", "linear"),
}


@cache
def saved_artifact(kind: str) -> Path:
    from thawline import TextClassifier, artifact

    strategy, head = ARTIFACTS[kind]
    folder = _new_folder(kind) / "model"
    settings: dict[str, Any] = {"dtype": "float32", "labels": ("pos", "neg")}
    if not strategy.endswith("tfidf"):
        settings |= {"head": head, "epochs": 1}
    if strategy != "tfidf":
        settings["backbone"] = saved_backbone("bert")
    classifier = TextClassifier(strategy=strategy, **settings)
    texts = [text for text, _ in ROWS]
    classifier.fit(texts, [label == "pos" for _, label in ROWS])
    artifact.save(classifier.fitted_, folder)
    return folder


def make_artifact(kind: str, checksums: bool, folder: Path) -> None:
    shutil.copytree(saved_artifact(kind), folder, dirs_exist_ok=True)
    if not checksums:
        without_checksums(folder)


def try_to_sign(folder: Path) -> None:
    """Write new checksums, unless the settings are no longer JSON with a table for them."""
    with suppress(ValueError, RecursionError, AttributeError, KeyError, TypeError):
        sign(folder)


def read_artifact(folder: Path) -> object:
    """Load a classifier, and return its labels and its probabilities."""
    import numpy as np

    from thawline import TextClassifier

    classifier = TextClassifier.load(folder)
    found = classifier.predict_proba(PROBES)
    assert np.isfinite(found).all()
    assert np.allclose(found.sum(1), 1, atol=1e-3)
    return [str(label) for label in classifier.classes_], found.tolist()


def make_backbone(family: str, folder: Path) -> None:
    shutil.copytree(saved_backbone(family), folder, dirs_exist_ok=True)


def read_backbone(folder: Path) -> object:
    """Load a backbone and compute the states of texts, as `fit` does."""
    import torch

    from thawline.backbones.loading import load_backbone

    backbone = load_backbone(str(folder))
    length = backbone.resolve_max_length(None)
    backbone.digest()
    tokens = backbone.tokenizer(PROBES, truncation=True, max_length=length, padding=True)
    ids, mask = torch.tensor(tokens["input_ids"]), torch.tensor(tokens["attention_mask"])
    if ids.numel():  # otherwise no text has a token
        with torch.inference_mode():
            backbone.stack.model(input_ids=ids, attention_mask=mask)
    return None


def make_writer(folder: Path) -> None:
    save_writer(folder)


def read_writer(folder: Path) -> object:
    """Load a language model and generate a few tokens."""
    from thawline.backbones.language import load_language_model
    from thawline.config import WritingConfig
    from thawline.pretraining.generation import write_texts

    model = load_language_model(str(folder))
    config = WritingConfig(tokens=2, device="cpu")
    return [text.text for text in write_texts(model, "a film", config)]


# -- pretraining ----------------------------------------------------------------------------------


@cache
def pretrained() -> Path:
    """Return the folder of a pretraining that was stopped, so that it can be resumed."""
    from thawline.pretraining.job import pretrain_run

    folder = _new_folder("pretraining")
    texts = folder / "texts.csv"
    texts.write_text("text\n" + "\n".join(toy_texts(60)) + "\n", encoding="utf-8")
    pretrain_run(toy_job(texts, epochs=1), folder / "run")
    return folder


def make_pretraining(folder: Path) -> None:
    shutil.copytree(pretrained() / "run", folder, dirs_exist_ok=True)


def read_pretraining(folder: Path) -> object:
    """Resume a pretraining whose model is missing: read its record, tokenizer and tokens."""
    from thawline.pretraining import job as module
    from thawline.pretraining.packing import is_packed
    from thawline.runs.records import PretrainRecord, read_record
    from thawline.runs.resume import resumed_config

    resumed_config(folder, job=PretrainConfig, verb="pretrain")
    record = read_record(folder)
    if isinstance(record, PretrainRecord):
        module._find_damage(record, folder)
    module._read_tokenizer(folder)
    for name in ("train.npy", "held_out.npy"):
        is_packed(folder / name, 300)
    return None


def toy_training() -> Training:
    """Return a training of an MLP before its first step."""
    task = objective(dropout=0.3, batch_size=8)
    config = TrainingConfig(batch_size=8, evaluate_every=3)
    return Training(task, config, epochs=2, lr=0.05, device="cpu")


def make_checkpoint(folder: Path) -> None:
    training = toy_training()
    training.evaluate()
    steps = training.steps()
    for _ in range(4):
        training.update(next(steps))
    training.evaluate()
    CheckpointFolder(folder / "checkpoints").save(training)


def sign_checkpoint(folder: Path) -> None:
    """Write the digest of a changed checkpoint again."""
    from thawline.training import checkpoints as module

    for path in (folder / "checkpoints").iterdir():
        content = path.read_bytes()
        blank = module._DIGEST.sub(f'"sha256":"{module._NO_DIGEST}"'.encode(), content, 1)
        path.write_bytes(module._with_digest(blank))


def read_checkpoint(folder: Path) -> object:
    """Restore a training, and take the remaining steps."""
    training = toy_training()
    CheckpointFolder(folder / "checkpoints").restore(training)
    done = training.done
    if not training.history:
        training.evaluate()
    for step in training.steps():
        training.update(step)
        if training.is_due(3):
            training.evaluate()
            describe_evaluation(training.history[-1])
    training.keep_best()
    return done


def make_logits(folder: Path) -> None:
    import numpy as np

    from thawline.runs.logits import RunLogits, write_logits

    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    labels = np.array([0, 1, 1, 0])
    write_logits(folder, RunLogits(values, labels, values, labels, values[None].astype("float16")))


def read_signed_logits(folder: Path) -> object:
    """Read logits whose SHA-256 is in the record."""
    import hashlib

    import numpy as np

    from thawline.runs.layout import LOGITS
    from thawline.runs.logits import read_logits

    file = folder / LOGITS
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    found = read_logits(folder, fit_record(logits=sha256))
    return {name: np.asarray(values).tolist() for name, values in vars(found).items()}


# -- the store ------------------------------------------------------------------------------------


def make_store(key: Any, folder: Path) -> None:
    from thawline.store import Entry

    fill(Entry(key, name="toy", root=folder), TEXTS)


def read_store(key: Any, folder: Path) -> object:
    """List the entries, fill what is missing, and check that the states are right."""
    from thawline.store import Entry, entries

    entries(folder)
    fill(Entry(key, name="toy", root=folder), TEXTS)
    assert is_right(Entry(key, root=folder), TEXTS)
    return len(entries(folder))


# -- word vectors ---------------------------------------------------------------------------------


def make_vectors(name: str, folder: Path) -> None:
    lines = [f"{word} {n % 7 / 7:.4f} {-n / 50:.4f} 0.5 1e-3\n" for n, word in enumerate(WORDS)]
    if name.endswith("vec"):
        lines.insert(0, f"{len(lines)} 4\n")
    content = "".join(lines).encode()
    if name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    if name.endswith(".zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(zipfile.ZipInfo("vectors.txt"), content)
        content = buffer.getvalue()
    (folder / name).write_bytes(content)


def read_vectors(name: str, folder: Path) -> object:
    import numpy as np

    from thawline.backbones.vectors.reading import find_file, read_blocks

    file = find_file(folder / name)
    assert file is not None
    words = 0
    for names, matrix in read_blocks(file, Reporter()):
        assert np.isfinite(matrix).all()
        assert len(names) == len(matrix)
        words += len(names)
    return words


def read_cached_vectors(folder: Path) -> object:
    import os
    from unittest.mock import patch

    from thawline.backbones.vectors import find_vectors

    with patch.dict(os.environ, {"THAWLINE_HOME": str(folder / "home")}):
        vectors = find_vectors(str(folder / "vectors.txt"), Reporter())
    return vectors.words, vectors.matrix.tolist()


def make_cached_vectors(folder: Path) -> None:
    make_vectors("vectors.txt", folder)
    read_cached_vectors(folder)


# -- all ------------------------------------------------------------------------------------------


def _all() -> list[Target]:
    tables = [
        *("t.csv", "t.tsv", "t.json", "t.jsonl", "t.parquet", "t.txt"),
        *("t.csv.gz", "t.jsonl.gz", "t.parquet.gz", "t.zip"),
    ]
    found = [Target(name, partial(make_table, name), partial(read_data, name)) for name in tables]
    found += [
        Target("text;label", make_semicolons, partial(read_data, "s.txt")),
        Target("class folders", make_class_folders, partial(read_data, "set")),
        Target("archive", make_archive, partial(read_data, "set.tar.gz")),
        Target("split files", make_split_files, partial(read_data, "")),
    ]
    jobs: list[tuple[type, str]] = [
        (Config, "fit"),
        (PretrainConfig, "pretrain"),
        (LadderConfig, "ladder"),
        (TuneConfig, "tune"),
    ]
    for job, verb in jobs:
        found.append(
            Target(f"config {verb}", partial(make_config, job, verb), partial(read_config, job))
        )
    for kind in ("fit", "pretrain", "ladder", "tune"):
        found.append(Target(f"record {kind}", partial(make_record, kind), read_record_completely))
    for kind in ARTIFACTS:
        found += [
            Target(
                f"artifact {kind}",
                partial(make_artifact, kind, True),
                read_artifact,
                may_differ=False,
            ),
            Target(
                f"signed {kind}",
                partial(make_artifact, kind, True),
                read_artifact,
                finish=try_to_sign,
            ),
            Target(f"unsigned {kind}", partial(make_artifact, kind, False), read_artifact),
        ]
    for family in ("bert", "modernbert", "qwen3", "thawline-glove"):
        found.append(Target(f"backbone {family}", partial(make_backbone, family), read_backbone))
    found += [
        Target("checkpoint", make_checkpoint, read_checkpoint),
        Target("signed checkpoint", make_checkpoint, read_checkpoint, finish=sign_checkpoint),
        Target("signed logits", make_logits, read_signed_logits),
        Target("language model", make_writer, read_writer),
        Target("pretraining", make_pretraining, read_pretraining),
        Target("store pooled", partial(make_store, KEY), partial(read_store, KEY)),
        Target("store line", partial(make_store, LINE_KEY), partial(read_store, LINE_KEY)),
        Target(
            "vector cache",
            make_cached_vectors,
            read_cached_vectors,
            files=("home",),
            may_differ=False,
        ),
    ]
    for name in ("vectors.txt", "vectors.vec", "vectors.txt.gz", "vectors.zip"):
        found.append(Target(name, partial(make_vectors, name), partial(read_vectors, name)))
    return found


TARGETS = {target.name: target for target in _all()}
