from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.support.command_line import ProverHere, thawline, write_set, write_table
from tests.support.records import fit_record
from thawline import __version__
from thawline.config import TrainingConfig
from thawline.config.resolve import resolve_config

TRAIN, TEST = 80, 32
NAMED = ("--labels", "neg,pos")


@pytest.fixture(scope="module")
def real(tmp_path_factory, toy_backbone, toy_reviews):
    """One run as a user makes it: a process of its own, its artifact proven by another one."""
    root = tmp_path_factory.mktemp("real")
    data = write_set(
        root / "reviews",
        {
            "train": toy_reviews(TRAIN, 1),
            "test": toy_reviews(TEST, 2),
            "unsup": (["a film"], [-1]),
        },
    )
    home, run = root / "home", root / "run"
    command = [sys.executable, "-m", "thawline", "fit", "--data", data, *NAMED]
    command += ["--backbone", toy_backbone(), "--out", run, "--json"]
    done = subprocess.run(
        command,
        env=os.environ | {"THAWLINE_HOME": str(home)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return SimpleNamespace(
        data=data, home=home, run=run, code=done.returncode, out=done.stdout, err=done.stderr
    )


@pytest.fixture
def store_of_real(real, monkeypatch):
    monkeypatch.setenv("THAWLINE_HOME", str(real.home))


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)


@pytest.fixture(scope="module")
def data(tmp_path_factory, toy_reviews) -> Path:
    folder = tmp_path_factory.mktemp("data") / "reviews"
    return write_set(folder, {"train": toy_reviews(TRAIN, 1), "test": toy_reviews(TEST, 2)})


@pytest.fixture
def fit(data, toy_backbone):
    """Fit a toy BERT on the toy reviews; later options win over these."""

    def run(*options: object):
        fixed = ("fit", "--data", data, "--backbone", toy_backbone(), "--out", "run")
        return thawline(*fixed, *options)

    return run


# -- fit ----------------------------------------------------------------------------------------


def test_fit_in_a_process_of_its_own_prints_one_json_object_and_nothing_else(real):
    assert real.code == 0, real.err
    (line,) = real.out.splitlines()
    assert json.loads(line) == json.loads((real.run / "record.json").read_text())
    assert "proving the saved classifier in a fresh process" in real.err
    assert "Traceback" not in real.err
    assert "warning" not in real.err


def test_fit_leaves_files_alone_that_are_no_split_and_says_so(real):
    assert "left alone, as no train, validation or test split: unsup.csv" in real.err
    record = json.loads(real.out)
    assert set(record["data"]["rows"]) == {"train", "validation", "test"}


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
        *("record.json", "config.toml", "model", "mistakes.csv"),
        *("before_after.png", "before_after.svg"),
    }
    assert {"config.json", "model.safetensors", "tokenizer.json", "thawline.json"} <= {
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
        "reviews, 32 test texts, 95 % intervals",
        "untrained                 adapted        change",
        "accuracy",
        "macro F1",
        "strategy  head, line 5; head linear on the mean of stage",
        "trained   ",
        "112 texts read once",
        f"artifact  {run / 'model'}",
        f"plots     before_after.png, before_after.svg in {run}",
        f'next      thawline predict {run} "a text of your own"',
    ):
        assert words in done.out
    assert "epoch" not in done.out
    assert "validation was carved out of train: 10 %, stratified, seed 42 (8 rows)" in done.err


def test_a_second_fit_reads_all_states_from_the_store(fit):
    fit()
    again = fit("--out", "again", "--pooling", "first", "--seed", "3")
    assert again.code == 0, again.err
    assert "all states from the store" in again.out
    assert "tokenising 0.0, prefix 0.0" in again.out
    record = json.loads(Path("again/record.json").read_text())
    assert record["prefix"]["texts"] == record["prefix"]["tokens"] == 0
    assert record["density"]["prefix"] is None
    assert record["seconds"]["prefix"] == 0.0


def test_epochs_print_and_draw_a_history_with_the_untrained_head_as_epoch_0(fit):
    done = fit("--epochs", "3")
    assert done.code == 0, done.err
    assert "0 (untrained)" in done.out
    assert "history.png, history.svg" in done.out
    assert "warning" not in done.err
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
    assert "test was carved out of reviews: 20 %, stratified, seed 42 (20 rows)" in done.err
    assert done.json["test"]["accuracy"]["value"] > 0.6


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_fit_on_a_folder_with_a_validation_file_takes_it(form, toy_backbone, toy_reviews):
    splits = {"train": 40, "validation": 12, "test": 16}
    drawn = {split: toy_reviews(rows, rows) for split, rows in splits.items()}
    write_set(Path("own"), drawn, form)
    done = thawline("fit", "--data", "own", "--backbone", toy_backbone(), "--out", "r", "--json")
    assert done.code == 0, done.err
    assert {split: len(rows) for split, rows in done.json["data"]["rows"].items()} == splits
    assert "carved" not in done.err


def test_limit_draws_rows_and_validation_comes_out_of_them(fit):
    done = fit("--limit", "40,20", "--json")
    rows = done.json["data"]["rows"]
    assert [len(rows[split]) for split in ("train", "validation", "test")] == [36, 4, 20]
    assert done.json["data"]["protocol"]["limit"] == [40, 20]


def test_small_takes_all_of_a_smaller_set_and_says_so(fit):
    done = fit("--small", "--json")
    assert done.json["data"]["protocol"]["limit"] == [4000, 2000]
    assert "train has 80 rows, fewer than the 4,000 asked for: all are used" in done.err
    assert "test has 32 rows, fewer than the 2,000 asked for: all are used" in done.err


def test_a_run_without_out_gets_a_new_folder_below_runs(data, toy_backbone):
    for _ in range(2):
        done = thawline("fit", "--data", data, "--backbone", toy_backbone(), "--limit", "20,10")
        assert done.code == 0, done.err
    folders = sorted(Path("runs").iterdir())
    assert len(folders) == 2
    assert all("-reviews-head" in folder.name for folder in folders)


# -- settings -----------------------------------------------------------------------------------


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


def test_what_stands_on_the_command_line_wins_over_the_file_and_the_file_over_the_default(
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


def test_info_takes_a_config_too(toy_backbone):
    Path("own.toml").write_text(f"backbone = '{toy_backbone()}'\n[data]\nlabels = ['a', 'b', 'c']")
    done = thawline("info", "--config", "own.toml", "--set", "head.features=4", "--json")
    assert done.code == 0, done.err
    assert done.json["features"] == [4]
    assert done.json["parameters"]["trainable"] == 3 * 33


# -- predict ------------------------------------------------------------------------------------


def test_predict_prints_the_share_of_either_class_for_neg_and_pos(real):
    texts = ["lovely wonderful brilliant funny film " * 4, "dull awful boring cheap film " * 4]
    done = thawline("predict", real.run, *texts, "--json")
    assert done.code == 0, done.err
    first, second = done.json_lines
    assert list(first) == ["text", "neg_prob", "pos_prob", "label"]
    assert first["text"] == texts[0]
    assert (first["label"], second["label"]) == ("pos", "neg")
    assert first["neg_prob"] + first["pos_prob"] == pytest.approx(1)
    assert first["pos_prob"] > 0.5 > second["pos_prob"]


def test_predict_of_other_labels_gives_confidence_and_all_shares(toy_backbone, toy_reviews):
    texts, labels = toy_reviews(60, 3)
    words = [("dull", "fine", "[odd]")[label + (row % 3 == 0)] for row, label in enumerate(labels)]
    write_set(Path("three"), {"train": (texts, words), "test": (texts[:12], words[:12])})
    fitted = thawline("fit", "--data", "three", "--backbone", toy_backbone(), "--out", "r")
    assert fitted.code == 0, fitted.err
    (record,) = thawline("predict", "r", "a film", "--json").json_lines
    assert list(record) == ["text", "label", "confidence", "probs"]
    assert list(record["probs"]) == ["[odd]", "dull", "fine"]
    assert sum(record["probs"].values()) == pytest.approx(1)
    assert record["confidence"] == max(record["probs"].values()) == record["probs"][record["label"]]
    shown = thawline("predict", "r", "a film")
    assert shown.out == f"{record['label']}  confidence {record['confidence']:.4f}  a film\n"
    assert "[odd]" in thawline("evaluate", "r").out


def test_predict_prints_one_line_a_text_and_changes_nothing_in_it(real):
    done = thawline("predict", real.run, "[bold]good[/bold] :smile: [red", "two\nlines")
    first, second = done.out.splitlines()
    assert first.endswith("  [bold]good[/bold] :smile: [red")
    assert second.endswith("  two lines")
    assert done.err == ""


def test_predict_reads_lines_of_standard_input(real):
    done = thawline("predict", real.run, "--json", stdin="a lovely film\n\na dull film\r\n")
    assert [record["text"] for record in done.json_lines] == ["a lovely film", "", "a dull film"]


def test_a_text_that_looks_like_an_option_stands_after_two_dashes(real):
    (record,) = thawline("predict", real.run, "--json", "--", "--debug").json_lines
    assert record["text"] == "--debug"


def test_predict_gives_the_probabilities_of_python_in_fp32(real, toy_reviews):
    from thawline import TextClassifier

    texts, _ = toy_reviews(12, 9)
    records = thawline("predict", real.run, *texts, "--json").json_lines
    expected = TextClassifier.load(real.run).predict_proba(texts)
    given = [[record["neg_prob"], record["pos_prob"]] for record in records]
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_predict_gives_the_probabilities_of_the_pipeline_for_a_native_head(fit, toy_reviews):
    from transformers import pipeline

    assert fit(*NAMED, "--head", "native", "--epochs", "2", "--lr", "0.01").code == 0
    texts, _ = toy_reviews(8, 9)
    texts = [" ".join(text.split()[:30]) for text in texts]
    records = thawline("predict", "run", *texts, "--json").json_lines
    classify = pipeline("text-classification", model="run/model", top_k=None)
    for record, answers in zip(records, classify(texts), strict=True):
        by_label = {answer["label"]: answer["score"] for answer in answers}
        assert by_label["neg"] == pytest.approx(record["neg_prob"], abs=1e-5)
        assert by_label["pos"] == pytest.approx(record["pos_prob"], abs=1e-5)


# -- evaluate -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize("split", ["validation", "test"])
def test_evaluate_gives_the_scores_of_the_record(real, split):
    done = thawline("evaluate", real.run, "--split", split, "--json")
    assert done.code == 0, done.err
    recorded = json.loads(real.out)[split]
    assert {name: done.json[name] for name in recorded} == recorded
    assert (done.json["split"], done.json["labels"]) == (split, ["neg", "pos"])


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize(("split", "rows"), [("train", 72), ("all", TRAIN + TEST)])
def test_evaluate_takes_other_splits_of_the_run(real, split, rows):
    assert thawline("evaluate", real.run, "--split", split, "--json").json["rows"] == rows


@pytest.mark.usefixtures("store_of_real")
def test_evaluate_prints_scores_with_intervals_and_those_of_each_class(real):
    done = thawline("evaluate", real.run, "--split", "validation")
    assert "8 texts, split validation, rows of train, 95 % intervals" in done.out
    for words in ("accuracy", "macro F1", "macro recall", "loss", "calibration error"):
        assert words in done.out
    (negative,) = [line for line in done.out.splitlines() if line.startswith("neg ")]
    assert negative.split()[-1] == "4"


def test_evaluate_takes_other_data_with_the_labels_of_the_model(real, toy_reviews):
    texts, labels = toy_reviews(24, 8)
    named = [("neg", "pos")[label] for label in labels]
    write_set(Path("other"), {"test": (texts, named)})
    done = thawline("evaluate", real.run, "--data", "other", "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == 24
    by_artifact = thawline("evaluate", real.run / "model", "--data", "other", "--json").json
    assert by_artifact["accuracy"] == done.json["accuracy"]


def test_evaluate_refuses_data_that_have_changed_since(fit, toy_reviews):
    write_set(Path("own"), {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)})
    assert fit("--data", "own").code == 0
    write_table(Path("own/test.csv"), *toy_reviews(16, 3))
    done = thawline("evaluate", "run")
    assert (done.code, done.out) == (2, "")
    assert all(datum in done.err for datum in ("'run'", "own'", "--data"))


# -- info, store, help --------------------------------------------------------------------------


def test_info_prints_the_stages_and_the_parameters_of_the_record(real, toy_backbone):
    done = thawline("info", "--backbone", toy_backbone(), *NAMED, "--json")
    assert done.code == 0, done.err
    record = json.loads(real.out)
    assert done.json["parameters"]["frozen"] == record["parameters"]["frozen"]
    assert (done.json["strategy"], done.json["line"]) == ("head", 5)
    shown = thawline("info", "--backbone", toy_backbone(), "--head", "native").out
    assert "0      embeddings" in shown
    assert shown.count("frozen") == 6
    assert "strategy   head, thaw line 5" in shown
    assert "head       native, pooling first, features of stage 4" in shown


def test_the_store_is_listed_and_cleared(fit):
    assert "empty" in thawline("store", "ls").out
    assert thawline("store", "ls", "--json").out == ""
    fit()
    fit("--out", "short", "--max-length", "16", "--truncation-side", "left")
    listed = thawline("store", "ls", "--json").json_lines
    assert {(entry["max_length"], entry["texts"]) for entry in listed} == {(40, 112), (16, 112)}
    shown = thawline("store", "ls").out
    assert all(entry["entry"][:8] in shown for entry in listed)
    assert "left" in shown
    freed = thawline("store", "clear", "--json").json["freed_bytes"]
    assert freed >= sum(entry["bytes"] for entry in listed) > 0
    assert "empty" in thawline("store", "ls").out
    assert thawline("store", "clear").out.startswith("freed 0.0 MB in ")


@pytest.mark.parametrize("arguments", [(), ("--debug",), ("-h",), ("--help",)])
def test_help_lists_the_verbs(arguments):
    done = thawline(*arguments)
    assert done.code == 0
    for verb in ("fit", "predict", "evaluate", "info", "store"):
        assert f"\n  {verb} " in done.out
    assert "..." not in done.out.split("Commands:")[1]


def test_store_alone_is_its_help():
    done = thawline("store")
    assert done.code == 0
    assert "  clear  " in done.out


@pytest.mark.parametrize("verb", ["fit", "predict", "evaluate", "info", "store ls", "store clear"])
def test_each_verb_has_help_and_json(verb):
    done = thawline(*verb.split(), "--help")
    assert done.code == 0
    assert f"Usage: thawline {verb} " in done.out
    assert "--json" in done.out


def test_options_are_named_the_same_in_every_verb():
    wanted = "data labels backbone strategy head pooling max-length truncation-side epochs"
    help_text = thawline("fit", "--help").out
    for option in [*wanted.split(), "batch-size", "lr", "seed", "out", "small", "limit"]:
        assert f"--{option} " in help_text


@pytest.mark.parametrize(
    "command",
    [[sys.executable, "-m", "thawline"], [str(Path(sys.executable).with_name("thawline"))]],
)
def test_the_command_and_the_module_are_the_same(command):
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"thawline {__version__}\n"


# -- what goes wrong ----------------------------------------------------------------------------

WRONG_FITS = [
    ("--strategy haed", "did you mean 'head'?"),
    (
        "--strategy last:9",
        "found 'last:9'; give k of at most 4",
    ),
    (
        "--strategy last:1 --head mlp:4 --features 2",
        "a head above trained blocks reads the last stage",
    ),
    ("--strategy lora:targets=quer", "found 'quer'; did you mean 'query'?"),
    ("--strategy full --merge", "found --strategy full, which makes no adapters to fold in"),
    ("--strategy gradual", "'gradual', which is not built yet; use --strategy head"),
    ("--strategy lp+gradual", "expected lp+ before last, lora or full, found 'lp+gradual'"),
    ("--strategy lp+last:9", "found 'last:9'; give k of at most 4"),
    ("--strategy lp+full --features 2", "a head above trained blocks reads the last stage"),
    ("--strategy lp+full --merge", "found --strategy lp+full, which makes no adapters to fold in"),
    ("--strategy lora:rank=4", "found 'rank=4' in 'lora:rank=4'"),
    ("--strategy lora:r=0", "expected r to be a whole number above 0"),
    ("--head liner", "did you mean 'linear'?"),
    ("--head mlp:0", "a whole number from 1 to 1,000,000, found 'mlp:0'; write --head mlp:64"),
    ("--head native --pooling mean", "expected --pooling first, what the native head of bert does"),
    ("--pooling maen", "did you mean 'mean'?"),
    ("--features 5", "a stage from 0 to 4, found '5'; give at most 4"),
    ("--features lsat", "did you mean 'last'?"),
    ("--head native --features 1", "a native head reads the last stage"),
    ("--epochs 1 --lr -1", "--lr to be a number above 0 and at most 1,000,000, found -1; "),
    ("--epochs 1 --lr 0", "at most 1,000,000, found 0; fix it, or leave it out"),
    ("--epochs 1 --lr nan", "at most 1,000,000, found NaN; fix it, or leave it out"),
    ("--epochs 1 --lr inf", "at most 1,000,000, found Infinity; fix it, or leave it out"),
    ("--epochs 1 --lr 1e39", "at most 1,000,000, found 1e+39; fix it, or leave it out"),
    ("--lr 0.1", "found --lr 0.1 alone; add --epochs 3, or leave --lr out"),
    ("--max-length 0", "expected a --max-length from 4 to 40 tokens"),
    ("--max-length 3", "expected a --max-length from 4 to 40 tokens"),
    ("--max-length 41", "found 41; give --max-length 40 or leave it out"),
    ("--batch-size 0", "--batch-size to be a whole number from 1 to 2,147,483,647, found 0"),
    ("--epochs 0", "expected --epochs to be a whole number from 1 to 2,147,483,647, found 0"),
    ("--seed -1", "expected --seed to be a whole number from 0 to 4,294,967,295, found -1"),
    ("--seed 4294967296", "to 4,294,967,295, found 4294967296; fix it, or leave it out for 0"),
    ("--limit 5", "expected --limit as two whole numbers, N,M, found '5'"),
    ("--limit 5,many", "found '5,many'; write --limit 4000,2000"),
    ("--limit=-5,5", "found '-5,5'"),
    ("--limit 0,5", "--limit to be a list of 2 whole numbers, each from 1 to 2,147,483,647"),
    ("--small --limit 20,10", "expected --small or --limit, found both; leave one of them out"),
    ("--device gpu", "expected a device, found 'gpu'; did you mean 'cpu'?"),
    ("--set training.lrr=1", "found --set training.lrr; did you mean 'training.lr'?"),
    ("--set lr", "expected --set with key=value, found 'lr'; write --set training.lr=1e-3"),
    ("--lr 1 --set training.lr=1", "expected --lr or --set training.lr, found both; leave one"),
    ("--set tokens.add_prefix_space=true", "a tokenizer with the option add_prefix_space in '"),
    ("--config none.toml", "expected --config as a TOML file, found no file 'none.toml'; give a"),
    ("--config a-file", "expected TOML in 'a-file', found "),
    ("--dtype bfloat", "expected a dtype, found 'bfloat'; did you mean 'bfloat16'?"),
    ("--truncation-side up", "expected --truncation-side to be right or left, found "),
    ("--resume --out full", "a run to go on with at 'full', found a folder without config.toml"),
    ("--labels neg,pos,odd", "expected 2 label names, for the labels 0, 1, found 3"),
    ("--labels neg,neg", "expected label names that differ and are not empty"),
    ("--labels neg,", "expected label names that differ and are not empty"),
    ("--text review", "expected a column 'review' for --text"),
    ("--label stars", "expected a column 'stars' for --label"),
    ("--backbone no-such-folder", "'no-such-folder', which is no folder here"),
    ("--backbone nothing", "expected a whole model (config.json"),
    ("--data no-such.csv", "found no path named 'no-such.csv'"),
    ("--data nothing", "expected a file train, validation or test in "),
    ("--out full", "found 'full', which exists; choose another --out or remove it"),
    ("--out a-file", "expected a folder for the run, found the file 'a-file'"),
    ("--out a-file/run", "below the file "),
    ("--epochs three", 'to be a whole number from 1 to 2,147,483,647, found "three"; fix it'),
    ("--limit", "expected --limit with a value, found none; write one after it"),
    ("--nope", "expected an option of thawline fit, found --nope"),
    ("--json --strategy haed", "did you mean 'head'?"),
]


def assert_refused(done, words: str) -> None:
    assert (done.code, done.out) == (2, ""), done
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert "Traceback" not in line


@pytest.mark.parametrize(("options", "words"), WRONG_FITS)
def test_a_wrong_fit_is_one_line_and_leaves_no_run(fit, options, words):
    Path("nothing").mkdir()
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    Path("a-file").write_text("mine")
    before = sorted(Path().rglob("*"))
    assert_refused(fit(*options.split()), words)
    assert sorted(Path().rglob("*")) == before


WRONG_COMMANDS = [
    ("fit", "expected --data, found none; add --data"),
    ("fti", "expected a verb of thawline, found 'fti'; did you mean 'fit'?"),
    ("--nope", "expected an option of thawline, found --nope; see thawline --help"),
    ("store lst", "found 'lst'; did you mean 'ls'?"),
    ("store ls extra", "see thawline store ls --help"),
    ("predict", "after thawline predict, found nothing; add it; see thawline predict --help"),
    (
        "predict nowhere text",
        "at 'nowhere', found no such folder; give the folder that fit printed",
    ),
    ("predict . text", "found no thawline.json in it or in its model/"),
    ("predict RUN", 'expected at least one text, found none; write thawline predict RUN "a text"'),
    ("predict RUN text --dtype half", "expected a dtype, found 'half'"),
    ("evaluate nowhere", "expected a run or a saved classifier at 'nowhere'"),
    ("evaluate RUN --split tset", "did you mean 'test'?"),
    ("evaluate RUN --limit 5,5", "expected --data beside --small, --limit, --text or --label"),
    ("evaluate RUN --small", "which means the run's own rows; add --data"),
    ("evaluate RUN --data no-such.csv", "found no path named 'no-such.csv'"),
    ("evaluate RUN --dtype half", "expected a dtype, found 'half'"),
    ("evaluate RUN/model", "found no record.json in it; give a run's folder, or name a set with"),
    ("info --backbone no-such-folder", "which is no folder here"),
    ("info --labels one", "expected at least two classes, found 1; write --labels neg,pos"),
]


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize(("command", "words"), WRONG_COMMANDS)
def test_a_wrong_command_is_one_line(real, toy_backbone, command, words):
    arguments = command.replace("RUN", str(real.run)).split()
    if command == "info --labels one":
        arguments += ["--backbone", toy_backbone()]
    assert_refused(thawline(*arguments), words)


def test_texts_that_are_no_unicode_are_refused(real):
    assert_refused(thawline("predict", real.run, "\udcff"), "expected texts in UTF-8")


def test_a_place_that_the_system_refuses_is_one_line(fit, monkeypatch):
    Path("a-file").write_text("mine")
    done = fit("--out", "a-file/run")
    assert done.code == 2
    last = done.err.splitlines()[-1]
    assert last.startswith("error: expected ")
    assert "a-file" in last
    assert "Traceback" not in done.err


def test_a_store_that_cannot_be_written_is_told_and_the_fit_goes_on(fit, monkeypatch):
    Path("a-file").write_text("mine")
    monkeypatch.setenv("THAWLINE_HOME", str(Path("a-file/home").absolute()))
    done = fit()
    assert done.code == 0
    assert "states stay in memory for this run" in " ".join(done.err.split())
    assert "set THAWLINE_HOME to a folder that can be written" in " ".join(done.err.split())


@pytest.mark.parametrize("arguments", [("--debug", "predict", "x"), ("predict", "x", "--debug")])
def test_debug_shows_the_traceback_before_or_after_the_verb(arguments):
    done = thawline(*arguments, "a text")
    assert done.code == 2
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.splitlines()[-1].startswith("error: expected a run or a saved classifier")


def test_an_interrupted_fit_exits_with_130_and_says_how_to_resume_it(fit, monkeypatch):
    def interrupt(*anything):
        raise KeyboardInterrupt

    monkeypatch.setattr("thawline.jobs.fit.adapt", interrupt)
    done = fit()
    assert done.code == 130
    how, last = done.err.splitlines()[-2:]
    assert "thawline fit --resume --out run" in how
    assert last == "interrupted"
    assert "Traceback" not in done.err
    record = json.loads(Path("run/record.json").read_text())
    assert record["status"] == "stopped"
    assert "found a run that did not finish" in thawline("predict", "run", "a text").err


def test_a_loss_that_is_not_finite_is_one_line_and_recorded_as_failed(fit):
    huge = ("--lr", "1e6", "--set", "training.weight_decay=1e6")
    done = fit("--head", "mlp:4", "--epochs", "2", "--batch-size", "4", *huge)
    assert (done.code, done.out) == (2, "")
    error = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert "expected a finite loss" in error[0]
    assert "--lr" in error[0]
    record = json.loads(Path("run/record.json").read_text())
    assert record["status"] == "failed"
    assert record["error"].startswith("ThawlineError: expected a finite loss")
    assert record["line"] == 5
    assert not Path("run/model").exists()


def test_a_programming_error_keeps_its_traceback(fit, monkeypatch):
    def stumble(*anything):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("thawline.jobs.fit.adapt", stumble)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        fit()
    assert json.loads(Path("run/record.json").read_text())["status"] == "failed"


def test_a_warning_is_one_line_on_standard_error(fit, toy_backbone):
    options = ("--backbone", toy_backbone("llama"), "--pooling", "first", "--json")
    done = fit(*options)
    assert done.code == 0, done.err
    assert done.json["pooling"] == "first"
    (line,) = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert "pooling 'first' on a causal backbone" in line
