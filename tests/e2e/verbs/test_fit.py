"""`thawline fit`: its record, its files, what it prints, and its settings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter
from safetensors.numpy import load_file

from tests.support.command_line import thawline, write_set, write_table
from tests.support.records import fit_record
from tests.support.verb_runs import NAMED, TEST, TRAIN
from thawline import __version__
from thawline.config import Config, TrainingConfig
from thawline.config.resolve import resolve_config


def test_fit_in_a_process_of_its_own_prints_one_json_object_and_nothing_else(real):
    assert real.code == 0, real.err
    (line,) = real.out.splitlines()
    assert json.loads(line) == json.loads((real.run / "record.json").read_text())
    assert real.err
    assert "Traceback" not in real.err
    assert "warning: " not in real.err


def test_fit_leaves_files_alone_that_are_no_split_and_says_so(real):
    assert "unsup.csv" in real.err
    record = json.loads(real.out)
    assert set(record["data"]["rows"]) == {"train", "validation", "test"}
    assert any("unsup.csv" in note for note in record["data"]["notes"])


def test_the_columns_are_named_on_the_terminal_and_in_the_record(real):
    record = json.loads(real.out)["data"]
    assert (record["text_columns"], record["label_column"]) == (["text"], "label")
    assert "the column 'text'" in real.err


def test_the_record_has_the_names_that_scripts_rely_on(real):
    record = json.loads(real.out)
    assert record["status"] == "finished"
    assert (record["strategy"], record["line"], record["head"]) == ("head", 5, "linear")
    parameters = record["parameters"]
    assert set(parameters) == {"trainable", "frozen", "total", "trained"}
    assert parameters["trained"] == {"head": parameters["trainable"]}
    assert parameters["total"] == parameters["trainable"] + parameters["frozen"]
    seconds = record["seconds"]
    assert set(seconds) == {"tokenising", "prefix", "training", "evaluation", "total"}
    assert all(value > 0 for value in seconds.values())
    assert seconds["total"] > sum(seconds.values()) - seconds["total"]
    assert record["density"]["training"] == 1.0
    assert record["density"]["prefix"] >= 0.99
    for part in ("baseline", "validation", "test"):
        for score in ("accuracy", "f1_macro"):
            values = record[part][score]
            assert set(values) == {"value", "low", "high"}
            assert 0 <= values["low"] <= values["value"] <= values["high"] <= 1
    assert record["peak_memory_bytes"] > 50e6
    assert Path(record["artifact"]) == real.run / "model"
    assert Path(record["artifact"]).is_absolute()
    assert record["proof"]["texts"] == 16
    assert record["proof"]["difference"] <= 1e-5


def test_the_record_says_what_was_run_on_what(real, toy_backbone):
    record = json.loads(real.out)
    assert record["config"] == json.loads(
        json.dumps(resolve_config(file=real.run / "config.toml").to_dict())
    )
    assert record["config"]["backbone"] == str(toy_backbone())
    assert record["config"]["data"]["labels"] == ["neg", "pos"]
    assert record["config"]["training"]["batch_size"] == 16
    assert record["versions"]["thawline"] == __version__
    assert {"python", "torch", "transformers", "numpy"} <= set(record["versions"])
    assert {"cpu", "cores", "threads", "memory_bytes", "gpu"} <= set(record["hardware"])
    rows = record["data"]["rows"]
    assert len(rows["train"]) == 72
    assert sorted(rows["train"] + rows["validation"]) == list(range(TRAIN))
    assert rows["test"] == list(range(TEST))


def test_fit_makes_these_files(real):
    names = {path.name for path in real.run.iterdir()}
    assert names == {
        *("record.json", "config.toml", "model", "mistakes.csv", "logits.safetensors"),
        *("before_after.png", "before_after.svg", "reliability.png", "reliability.svg"),
        *("choice.png", "choice.svg", "confusion.png", "confusion.svg"),
    }
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "thawline.json"} <= {
        path.name for path in (real.run / "model").iterdir()
    }
    assert (real.run / "before_after.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (real.run / "before_after.svg").read_text()


def test_fit_learns(real):
    record = json.loads(real.out)
    assert record["test"]["accuracy"]["value"] >= 0.8
    assert record["baseline"]["accuracy"]["value"] < record["test"]["accuracy"]["low"]


def test_fit_prints_before_and_after_and_where_everything_is(fit):
    done = fit(*NAMED)
    assert done.code == 0, done.err
    run = Path("run").absolute()
    for words in (
        *("reviews", " 32 ", "95 %", "accuracy", "F1"),  # the test rows and their scores
        *("head, thaw line 5", "linear", "112 texts"),  # the strategy, and the texts that were read
        *(str(run / "model"), "before_after"),
        f'thawline predict {run} "',
    ):
        assert words in done.out
    assert "epoch" not in done.out
    assert all(number in done.err for number in ("10 %", "42", "8 rows"))  # of validation


def test_a_second_fit_reads_all_states_from_the_store(fit):
    fit()
    again = fit("--out", "again", "--pooling", "first", "--seed", "3")
    assert again.code == 0, again.err
    assert "prefix 0.0" in again.out
    record = json.loads(Path("again/record.json").read_text())
    assert record["prefix"]["texts"] == record["prefix"]["tokens"] == 0
    assert record["density"]["prefix"] is None
    assert record["seconds"]["prefix"] == 0.0


def test_epochs_print_and_draw_a_history_with_the_untrained_head_as_epoch_0(fit):
    done = fit("--epochs", "3")
    assert done.code == 0, done.err
    assert any(line.startswith("0 (") for line in done.out.splitlines())
    assert "history (PNG and SVG)" in done.out
    assert "warning: " not in done.err
    assert Path("run/history.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in Path("run/history.svg").read_text()
    history = json.loads(Path("run/record.json").read_text())["history"]
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]
    assert all(0 <= row["validation_accuracy"] <= 1 for row in history)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_fit_on_one_file_carves_test_then_validation(form, toy_backbone, toy_reviews):
    data = write_table(Path(f"reviews.{form}"), *toy_reviews(100, 4))
    done = thawline("fit", "--data", data, "--backbone", toy_backbone(), "--out", "r", "--json")
    assert done.code == 0, done.err
    rows = done.json["data"]["rows"]
    assert [len(rows[split]) for split in ("train", "validation", "test")] == [72, 8, 20]
    assert sorted(rows["train"] + rows["validation"] + rows["test"]) == list(range(100))
    assert all(number in done.err for number in ("20 %", "42", "20 rows"))  # of test
    assert done.json["test"]["accuracy"]["value"] > 0.6


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_fit_on_a_folder_with_a_validation_file_takes_it(form, toy_backbone, toy_reviews):
    splits = {"train": 40, "validation": 12, "test": 16}
    drawn = {split: toy_reviews(rows, rows) for split, rows in splits.items()}
    write_set(Path("own"), drawn, form)
    done = thawline("fit", "--data", "own", "--backbone", toy_backbone(), "--out", "r", "--json")
    assert done.code == 0, done.err
    assert {split: len(rows) for split, rows in done.json["data"]["rows"].items()} == splits
    assert "seed 42" not in done.err  # no split was made


def test_limit_draws_rows_and_validation_comes_out_of_them(fit):
    done = fit("--limit", "40,20", "--json")
    rows = done.json["data"]["rows"]
    assert [len(rows[split]) for split in ("train", "validation", "test")] == [36, 4, 20]
    assert done.json["data"]["protocol"]["limit"] == [40, 20]


def test_fit_validates_its_config_once(fit, monkeypatch):
    validated = []
    original = TypeAdapter.validate_json

    def validate_json(adapter, *values, **options):
        found = original(adapter, *values, **options)
        validated.append(found)
        return found

    monkeypatch.setattr(TypeAdapter, "validate_json", validate_json)
    assert fit("--limit", "40,20").code == 0
    assert len([config for config in validated if isinstance(config, Config)]) == 1


def test_small_takes_all_of_a_smaller_set_and_says_so(fit):
    done = fit("--small", "--json")
    assert done.json["data"]["protocol"]["limit"] == [4000, 2000]
    for split, rows, limit in (("train", "80", "4,000"), ("test", "32", "2,000")):
        (line,) = [line for line in done.err.splitlines() if limit in line]
        assert split in line
        assert rows in line


def test_a_run_without_out_gets_a_new_folder_below_runs(data, toy_backbone):
    for _ in range(2):
        done = thawline("fit", "--data", data, "--backbone", toy_backbone(), "--limit", "20,10")
        assert done.code == 0, done.err
    folders = sorted(Path("runs").iterdir())
    assert len(folders) == 2
    assert all("-reviews-head" in folder.name for folder in folders)


def test_the_config_of_a_run_makes_the_same_run_again(fit):
    wide = ("--head", "mlp:4", "--epochs", "2", "--limit", "40,20", "--seed", "3")
    first = fit("--json", *NAMED, *wide, "--set", "head.dropout=0.3", "--set", "metrics.bins=7")
    assert first.code == 0, first.err
    again = thawline("fit", "--config", "run/config.toml", "--out", "again", "--json")
    assert again.code == 0, again.err
    for part in ("config", "data", "store", "baseline", "validation", "test"):
        assert first.json[part] == again.json[part], part
    assert again.json["config"]["head"]["dropout"] == 0.3
    weights = [load_file(f"{run}/model/model.safetensors") for run in ("run", "again")]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    texts = [Path(run, "config.toml").read_text() for run in ("run", "again")]
    assert texts[0] == texts[1]


def test_options_override_the_file_and_the_file_overrides_the_default(
    data, toy_backbone, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        "thawline.jobs.fit.fit_run", lambda config, *_, **__: seen.append(config) or fit_record()
    )
    Path("own.toml").write_text(
        f"seed = 7\nbackbone = '{toy_backbone()}'\n[data]\ndata = '{data}'\nlimit = [9, 9]\n"
        "[training]\nepochs = 5\nbatch_size = 32\n[head]\nstandardise = false\n"
    )
    # --batch-size is given its very default: it was really given, and wins.
    given = ("--batch-size", "16", "--set", "training.lr=0.5", "--standardise", "--small")
    done = thawline("fit", "--config", "own.toml", *given, "--json")
    assert done.code == 0, done.err
    (config,) = seen
    assert (config.training.batch_size, config.training.lr) == (16, 0.5)
    assert config.head.standardise is True
    assert config.data.limit == (4_000, 2_000)
    assert (config.seed, config.training.epochs) == (7, 5)
    assert (config.data.data, config.backbone) == (str(data), str(toy_backbone()))
    assert config.training.weight_decay == TrainingConfig.weight_decay
