"""A pretraining from texts to a model: what it leaves, and that it can be stopped anywhere."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen3ForCausalLM

from tests.support.command_line import write_table
from tests.support.language_toys import WINDOW, Notes, toy_job, toy_texts
from thawline.config import Config, PretrainConfig
from thawline.errors import ThawlineError
from thawline.pretraining import job
from thawline.pretraining.job import pretrain_run
from thawline.pretraining.model import NextToken
from thawline.pretraining.packing import all_windows, open_tokens
from thawline.runs.folder import FIT, PRETRAIN, make_run, run_start
from thawline.runs.records import PretrainRecord, StartedPretraining, StartedRun, read_record
from thawline.runs.resume import resumed_config
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.steps import Training

TEXTS = [*toy_texts(40), "a film of 🎬<br />and of two lines"]
RUN = Path("run")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with texts and a finished run of them; do not change it."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        pretrain_run(toy_job(texts()), RUN, Notes())
    return root


def texts(more: str | None = None) -> Path:
    every = TEXTS if more is None else [*TEXTS, more]
    return write_table(Path("texts.csv"), every, [0] * len(every))


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "record.json").read_text("utf-8"))


def begin_run(folder: Path, config: Any, verb: Any) -> None:
    """Make the folder of a run of either verb, which has just been started."""
    start = run_start(config, verb, None, resumed=False)
    folder.mkdir()
    make_run(folder, config, StartedRun(**dict(start), status="running"))


def untimed(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


# -- what a run leaves -----------------------------------------------------------------------------


def test_the_folder_holds_the_model_its_tokenizer_the_tokens_and_the_plots(whole):
    names = {path.name for path in (whole / RUN).iterdir()}
    plots = {"history.png", "history.svg"}
    files = {"config.toml", "record.json", "train.npy", "held_out.npy"}
    assert names == {"model", "tokenizer", "checkpoints"} | files | plots
    assert {path.name for path in (whole / RUN / "model").iterdir()} >= {
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_record_tells_the_whole_run(whole):
    record = record_of(whole / RUN)
    typed = read_record(whole / RUN)
    assert isinstance(typed, PretrainRecord)
    assert typed.to_dict() == record
    assert (record["status"], record["verb"]) == ("finished", "pretrain")
    assert record["config"]["corpus"]["held_out"] == 0.2
    counts = record["corpus"]["counts"]
    assert counts == {"read": 41, "copies": 0, "left_out": 0, "train": 33, "held_out": 8}
    assert re.fullmatch("[0-9a-f]{64}", record["corpus"]["sha256"])
    words = record["tokenizer"]
    assert words["size"] == 300
    assert words["bytes_per_token"] == pytest.approx(
        record["corpus"]["train"]["bytes"] / words["train_tokens"]
    )
    steps = (words["train_tokens"] - WINDOW) // WINDOW // 8
    assert (record["steps_per_epoch"], record["steps"]) == (steps, 2 * steps)
    assert record["tokens"] == 2 * steps * 8 * WINDOW
    assert (record["device"], record["dtype"]) == ("cpu", "float32")
    model = Qwen3ForCausalLM.from_pretrained(whole / RUN / "model")
    assert record["parameters"] == model.num_parameters()
    assert record["parameters"] - record["block_parameters"] == 300 * 16
    assert set(record["seconds"]) == {"vocabulary", "tokenising", "training", "last_leg", "total"}
    assert record["tokens_per_second"] == pytest.approx(
        record["tokens"] / record["seconds"]["training"]
    )


def test_it_has_learnt_and_the_best_evaluation_is_kept(whole):
    record = record_of(whole / RUN)
    history = record["history"]
    assert history[0]["validation_loss"] == pytest.approx(math.log(300), abs=0.3)
    (kept,) = (row for row in history if row["kept"])
    assert kept == record["kept"]
    assert kept["validation_loss"] == min(row["validation_loss"] for row in history)
    assert kept["validation_loss"] < history[0]["validation_loss"] - 0.2
    per_epoch = record["steps_per_epoch"]
    at = {step for step in range(2 * per_epoch + 1) if step % 5 == 0 or step % per_epoch == 0}
    assert {row["step"] for row in history} == at


def test_what_is_saved_in_half_precision_scores_as_what_was_kept(whole):
    record = record_of(whole / RUN)
    tensors = load_file(whole / RUN / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    kept = {key: record["kept"][key] for key in record["saved"]}
    assert record["saved"] == pytest.approx(kept, rel=2e-3)


def test_the_model_is_loaded_by_transformers_and_scores_what_the_record_says(whole):
    folder = whole / RUN / "model"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    learnt = AutoTokenizer.from_pretrained(folder)
    assert isinstance(model, Qwen3ForCausalLM)
    config = model.config
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
    assert learnt.model_max_length == config.max_position_embeddings == WINDOW
    module = NextToken(model, use_bf16=False, compiled=False).eval()
    tokens = open_tokens(whole / RUN / "held_out.npy")
    with torch.inference_mode():
        nats, _ = module(torch.from_numpy(all_windows(tokens, WINDOW, 0)))
    record = record_of(whole / RUN)
    bits = float(nats) / math.log(2) / record["corpus"]["held_out"]["bytes"]
    assert bits == pytest.approx(record["saved"]["validation_bits_per_byte"], rel=1e-5)


def test_the_card_says_what_the_model_is(whole):
    card, record = (whole / RUN / "model" / "README.md").read_text("utf-8"), record_of(whole / RUN)
    assert f"{record['parameters']:,} parameters" in card
    first = next(line for line in card.splitlines() if line and not line.startswith("#"))
    assert {"300", "32"} <= set(re.findall(r"\d+", first))  # vocabulary and window
    table = dict(re.findall(r"^\| (\S.*?) \| (.+?) \|$", card, re.MULTILINE))
    assert (table["training texts"], table["held-out texts"]) == ("33", "8")
    assert f"| bits per byte | {record['kept']['validation_bits_per_byte']:.4f} |" in card
    assert f"| epochs, steps | 2, {record['steps']} |" in card
    rows = card.partition("| tokens | train loss | held-out loss | bits per byte |")[2]
    assert rows.count("\n| ") == len(record["history"])
    assert f"| {record['tokens']:,} | " in rows


def test_it_reports_what_it_reads():
    notes = Notes()
    pretrain_run(toy_job(texts(), epochs=1), RUN, notes)
    source, counts, tokens, *evaluations = notes.lines
    assert "texts.csv" in source
    assert "41" in source
    assert all(datum in counts for datum in ("33", "8 held out"))
    assert "300 tokens" in tokens
    assert evaluations
    assert all(line.startswith("epoch ") for line in evaluations)


# -- resume ----------------------------------------------------------------------------------------


class Killed(Exception):
    """An error that stands for the end of the process."""


def end_at(patch: pytest.MonkeyPatch, step: int, error: type[BaseException]) -> None:
    """Make a training end before it takes this step, counted from 1."""
    update = Training.update

    def ending(training: Training, taken: Any) -> None:
        if training.done + 1 == step:
            raise error
        update(training, taken)

    patch.setattr(Training, "update", ending)


def check_the_same(whole: Path) -> None:
    """To the bit: weights, tokens, history, scores."""
    expected, found = whole / RUN, RUN
    for name in ("model/model.safetensors", "model/tokenizer.json", "train.npy", "held_out.npy"):
        assert (expected / name).read_bytes() == (found / name).read_bytes(), name
    one, other = record_of(expected), record_of(found)
    assert untimed(one["history"]) == untimed(other["history"])
    for key in ("saved", "tokenizer", "steps", "tokens", "parameters"):
        assert one[key] == other[key], key
    assert other["status"] == "finished"


@pytest.mark.parametrize("steps", [(2,), (5,), (7, 8, 11)], ids=str)
def test_stopped_and_resumed_it_ends_at_the_same_weights(steps, whole, monkeypatch):
    config = toy_job(texts())
    for step in steps:
        with monkeypatch.context() as patch:
            end_at(patch, step, KeyboardInterrupt)
            notes = Notes()
            with pytest.raises(KeyboardInterrupt):
                pretrain_run(config, RUN, notes, resume=True)
        assert record_of(RUN)["status"] == "stopped"
        assert "thawline pretrain --resume --out run" in notes.lines[-1]
        torch.manual_seed(77)
    before = (RUN / "tokenizer" / "tokenizer.json").stat().st_mtime_ns
    pretrain_run(resumed_config(RUN, job=PretrainConfig, verb=PRETRAIN), RUN, Notes(), resume=True)
    check_the_same(whole)
    assert len(record_of(RUN)["resumed"]) == len(steps)
    assert (RUN / "tokenizer" / "tokenizer.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("place", ["save_tokenizer", "pack", "new_model", "save_model"])
def test_a_run_that_failed_at_any_step_is_resumed(place, whole, monkeypatch):
    config = toy_job(texts())
    with monkeypatch.context() as patch:
        patch.setattr(job, place, Mock(side_effect=Killed))
        with pytest.raises(Killed):
            pretrain_run(config, RUN, Notes())
    record = read_record(RUN)
    assert isinstance(record, StartedPretraining)
    assert (record.status, record.error) == ("failed", "Killed: ")
    assert record.corpus.counts.train == 33
    pretrain_run(config, RUN, Notes(), resume=True)
    check_the_same(whole)


def test_a_finished_run_says_so_and_stays_as_it_is(whole):
    files = [path for path in (whole / RUN).rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    notes = Notes()
    record = pretrain_run(toy_job(whole / "texts.csv"), whole / RUN, notes, resume=True)
    (note,) = notes.lines
    assert f"'{whole / RUN}'" in note
    assert record.to_dict() == record_of(whole / RUN)
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_a_finished_run_with_damaged_files_is_made_again(whole):
    shutil.copytree(whole / RUN, RUN)
    for name in ("model/tokenizer.json", "tokenizer/tokenizer.json", "train.npy", "config.toml"):
        (RUN / name).write_bytes(b"")
    pretrain_run(toy_job(whole / "texts.csv"), RUN, Notes(), resume=True)
    check_the_same(whole)
    assert (RUN / "config.toml").read_bytes() == (whole / RUN / "config.toml").read_bytes()
    assert len(record_of(RUN)["starts"]) == 2


def test_other_texts_are_refused(monkeypatch):
    with monkeypatch.context() as patch:
        end_at(patch, 5, Killed)
        with pytest.raises(Killed):
            pretrain_run(toy_job(texts()), RUN, Notes())
    before = (RUN / "record.json").read_bytes()
    with pytest.raises(ThawlineError) as caught:
        pretrain_run(toy_job(texts("one text more")), RUN, Notes(), resume=True)
    assert "'run'" in caught.value.expected
    assert "texts" in caught.value.found
    assert (RUN / "record.json").read_bytes() == before


def test_other_settings_are_refused():
    begin_run(RUN, toy_job(texts()), PRETRAIN)
    (RUN / "record.json").unlink()  # as after a kill between its two files
    changed = ["training.window=16"]
    with pytest.raises(ThawlineError) as caught:
        resumed_config(RUN, job=PretrainConfig, verb=PRETRAIN, overrides=changed)
    assert (caught.value.setting, caught.value.found) == ("training.window", "'16'")
    assert "(32)" in caught.value.expected


def test_a_run_of_another_verb_is_refused_both_ways():
    begin_run(RUN, Config(), FIT)
    with pytest.raises(ThawlineError) as caught:
        resumed_config(RUN, job=PretrainConfig, verb=PRETRAIN)
    assert "thawline fit" in caught.value.found
    other = Path("other")
    begin_run(other, toy_job(texts()), PRETRAIN)
    with pytest.raises(ThawlineError) as caught:
        resumed_config(other)
    assert "'other'" in caught.value.expected
    assert "thawline pretrain" in caught.value.found


def test_a_damaged_checkpoint_falls_back_to_the_one_before(whole, monkeypatch):
    config = toy_job(texts())
    with monkeypatch.context() as patch:
        end_at(patch, 8, Killed)
        with pytest.raises(Killed):
            pretrain_run(config, RUN, Notes())
    newest = CheckpointFolder(RUN / "checkpoints")._newest_first()[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    pretrain_run(config, RUN, Notes(), resume=True)
    check_the_same(whole)


# -- mistakes --------------------------------------------------------------------------------------


def test_a_vocabulary_or_a_step_that_the_texts_cannot_fill_leaves_nothing():
    config = toy_job(texts())
    folder = Path("runs") / "new"
    larger = replace(config, vocabulary=replace(config.vocabulary, size=9_000))
    with pytest.raises(ThawlineError, match="9,000 tokens"):
        pretrain_run(larger, folder, Notes())
    with pytest.raises(ThawlineError, match="5,000 windows"):
        pretrain_run(toy_job(texts(), batch_size=5_000), folder, Notes())
    assert [path.name for path in Path().iterdir()] == ["texts.csv"]


def test_heads_are_checked_before_anything_is_read():
    config = toy_job(Path("no-such.csv"))
    shape = replace(config.architecture, head_dim=7)
    with pytest.raises(ThawlineError, match=r"architecture\.head_dim"):
        pretrain_run(replace(config, architecture=shape), RUN, Notes())
    assert not RUN.exists()


def test_a_folder_that_is_taken_is_refused_before_anything_is_read():
    RUN.mkdir()
    (RUN / "notes.txt").write_text("mine")
    with pytest.raises(ThawlineError) as caught:
        pretrain_run(toy_job(Path("no-such.csv")), RUN, Notes())
    assert "'run'" in caught.value.found
    assert [path.name for path in RUN.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("wanted", "batch", "device", "passes"),
    [
        (None, 32, "cpu", 4),
        (None, 6, "cpu", 3),
        (None, 32, "cuda", 32),
        (5, 32, "cpu", 4),
        (99, 7, "cuda", 7),
    ],
)
def test_windows_in_a_pass_divide_a_step(wanted, batch, device, passes):
    training = replace(PretrainConfig().training, windows_per_pass=wanted, batch_size=batch)
    assert job._windows_per_pass(training, device) == passes
