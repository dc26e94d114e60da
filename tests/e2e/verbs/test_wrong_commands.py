"""Wrong input and interrupted runs: one line, an exit code, and no half-made run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import thawline
from tests.support.verb_runs import refusal

WRONG_FITS = [
    ("--strategy haed", "'head'"),
    ("--strategy last:9", "found 9."),
    ("--strategy last:1 --head mlp:4 --features 2", "features"),
    ("--strategy lora:targets=quer", "'quer'", "'query'"),
    ("--strategy full --merge", "--merge", "full"),
    ("--strategy gradual:stages=9", "found 9."),
    ("--strategy lp+tapt+head", "'lp+tapt+head'"),
    ("--strategy lp+last:9", "found 9."),
    ("--strategy lp+full --features 2", "features"),
    ("--strategy lp+full --merge", "--merge", "lp+full"),
    ("--strategy lora:rank=4", "rank"),
    ("--strategy lora:r=0", "0"),
    ("--head liner", "'linear'"),
    ("--head mlp:0", "'mlp:0'"),
    ("--head native --pooling mean", "native", "first"),
    ("--pooling maen", "'mean'"),
    ("--features 5", "'5'", "4"),
    ("--features lsat", "'last'"),
    ("--head native --features 1", "native", "features"),
    ("--epochs 1 --lr -1", "--lr", "found -1"),
    ("--epochs 1 --lr 0", "--lr", "found 0"),
    ("--epochs 1 --lr nan", "--lr", "found NaN"),
    ("--epochs 1 --lr inf", "--lr", "found Infinity"),
    ("--epochs 1 --lr 1e39", "--lr", "found 1e+39"),
    ("--lr 0.1", "--lr", "--epochs"),
    ("--max-length 0", "--max-length", "40"),
    ("--max-length 3", "--max-length", "40"),
    ("--max-length 41", "41", "40"),
    ("--batch-size 0", "--batch-size", "found 0"),
    ("--epochs 0", "--epochs", "found 0"),
    ("--seed -1", "--seed", "found -1"),
    ("--seed 4294967296", "--seed", "found 4294967296"),
    ("--limit 5", "--limit", "'5'"),
    ("--limit 5,many", "'5,many'"),
    ("--limit=-5,5", "'-5,5'"),
    ("--limit 0,5", "--limit", "[0, 5]"),
    ("--small --limit 20,10", "--small", "--limit"),
    ("--device gpu", "'gpu'", "'cpu'"),
    ("--set training.lrr=1", "'training.lrr'", "'training.lr'"),
    ("--set lr", "--set", "'lr'"),
    ("--lr 1 --set training.lr=1", "--lr", "--set training.lr"),
    ("--set tokens.add_prefix_space=true", "add_prefix_space"),
    ("--config none.toml", "'none.toml'"),
    ("--config a-file", "TOML", "'a-file'"),
    ("--dtype bfloat", "'bfloat16'"),
    ("--truncation-side up", "'up'"),
    ("--resume --out full", "'full'", "config.toml"),
    ("--labels neg,pos,odd", "3"),
    ("--labels neg,neg", "label", "neg"),
    ("--labels neg,", "label"),
    ("--text review", "'review'"),
    ("--label stars", "'stars'"),
    ("--backbone no-such-folder", "'no-such-folder'"),
    ("--backbone nothing", "nothing", "config.json"),
    ("--data no-such.csv", "'no-such.csv'"),
    ("--data nothing", "nothing"),
    ("--out full", "'full'"),
    ("--out a-file", "'a-file'"),
    ("--out a-file/run", "a-file"),
    ("--epochs three", "--epochs", "'three'"),
    ("--limit", "--limit"),
    ("--nope", "'--nope'"),
    ("--json --strategy haed", "'head'"),
]
"""The options of a wrong fit, and data that its error must show."""


@pytest.mark.parametrize(("options", "shown"), [(options, shown) for options, *shown in WRONG_FITS])
def test_a_wrong_fit_is_one_line_and_leaves_no_run(fit, options, shown):
    Path("nothing").mkdir()
    Path("full").mkdir()
    Path("full/notes.txt").write_text("mine")
    Path("a-file").write_text("mine")
    before = sorted(Path().rglob("*"))
    line = refusal(fit(*options.split()))
    assert [datum for datum in shown if datum not in line] == [], line
    assert sorted(Path().rglob("*")) == before


WRONG_COMMANDS = [
    ("fit", "--data"),
    ("fti", "'fit'"),
    ("--nope", "'--nope'", "`thawline --help`"),
    ("store lst", "'ls'"),
    ("store ls extra", "'extra'", "`thawline store ls --help`"),
    ("predict", "RUN", "`thawline predict --help`"),
    ("predict nowhere text", "'nowhere'"),
    ("predict . text", "thawline.json"),
    ("predict RUN", 'thawline predict RUN "'),
    ("predict RUN text --dtype half", "'half'"),
    ("evaluate nowhere", "'nowhere'"),
    ("evaluate RUN --split tset", "'test'"),
    ("evaluate RUN --limit 5,5", "--data", "--limit"),
    ("evaluate RUN --small", "--data", "--small"),
    ("evaluate RUN --data no-such.csv", "'no-such.csv'"),
    ("evaluate RUN --dtype half", "'half'"),
    ("evaluate RUN/model", "record.json"),
    ("info --backbone no-such-folder", "'no-such-folder'"),
    ("info --labels one", "found 1", "--labels"),
]
"""A wrong command, and data that its error must show."""


@pytest.mark.usefixtures("store_of_real")
@pytest.mark.parametrize(
    ("command", "shown"), [(command, shown) for command, *shown in WRONG_COMMANDS]
)
def test_a_wrong_command_is_one_line(real, toy_backbone, command, shown):
    arguments = command.replace("RUN", str(real.run)).split()
    if command == "info --labels one":
        arguments += ["--backbone", toy_backbone()]
    line = refusal(thawline(*arguments))
    assert [datum for datum in shown if datum not in line] == [], line


def test_texts_that_are_not_unicode_are_refused(real):
    assert "UTF-8" in refusal(thawline("predict", real.run, "\udcff"))


def test_an_out_folder_below_a_file_is_one_line(fit):
    Path("a-file").write_text("mine")
    done = fit("--out", "a-file/run")
    assert done.code == 2
    last = done.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "a-file" in last
    assert "Traceback" not in done.err


def test_a_store_that_cannot_be_written_is_reported_and_the_fit_continues(fit, monkeypatch):
    Path("a-file").write_text("mine")
    monkeypatch.setenv("THAWLINE_HOME", str(Path("a-file/home").absolute()))
    done = fit()
    assert done.code == 0
    assert "THAWLINE_HOME" in done.err


@pytest.mark.parametrize("arguments", [("--debug", "predict", "x"), ("predict", "x", "--debug")])
def test_debug_shows_the_traceback_before_or_after_the_verb(arguments):
    done = thawline(*arguments, "a text")
    assert done.code == 2
    assert done.err.startswith("Traceback (most recent call last):")
    assert done.err.splitlines()[-1].startswith("error: ")
    assert "'x'" in done.err.splitlines()[-1]


def test_an_interrupted_fit_exits_with_130_and_says_how_to_resume_it(fit, monkeypatch):
    def interrupt(*anything):
        raise KeyboardInterrupt

    monkeypatch.setattr("thawline.jobs.fit.adapt", interrupt)
    done = fit()
    assert done.code == 130
    *_, advice, _ = done.err.splitlines()
    assert "thawline fit --resume --out run" in advice
    assert "Traceback" not in done.err
    record = json.loads(Path("run/record.json").read_text())
    assert record["status"] == "stopped"
    assert "'run'" in refusal(thawline("predict", "run", "a text"))


def test_a_loss_that_is_not_finite_is_one_line_and_recorded_as_failed(fit):
    huge = ("--lr", "1e6", "--set", "training.weight_decay=1e6")
    done = fit("--head", "mlp:4", "--epochs", "2", "--batch-size", "4", *huge)
    assert (done.code, done.out) == (2, "")
    error = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert "--lr" in error[0]
    assert "loss" in error[0]
    record = json.loads(Path("run/record.json").read_text())
    assert record["status"] == "failed"
    assert record["error"].startswith("ThawlineError: ")
    found, _, fix = record["error"].removeprefix("ThawlineError: ").partition(". ")
    assert found in error[0]
    assert "`training.lr`" in fix  # a record does not depend on the command
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
    assert "'first'" in line
