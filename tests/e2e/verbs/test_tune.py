"""`thawline tune` on a toy backbone."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command_line import ProverHere, thawline, write_set, write_table
from tests.support.verb_runs import NAMED, refusal
from thawline.config import Config, DataConfig, TaptConfig, TokensConfig, TrainingConfig, TuneConfig
from thawline.errors import ThawlineError
from thawline.prefix import frozen_pass
from thawline.runs.records import TuneRecord, read_record
from thawline.runtime.progress import Reporter
from thawline.tuning import job, search, trials
from thawline.tuning.job import tune
from thawline.tuning.study import STUDY

pytest.importorskip("optuna")

TEST_TEXT = "a text that only test has"


@pytest.fixture
def films(tmp_path, toy_reviews) -> Path:
    texts, labels = toy_reviews(24, 2)
    test = [f"{TEST_TEXT} {text}" for text in texts], labels
    return write_set(tmp_path / "films.d", {"train": toy_reviews(80, 1), "test": test})


def config_for(films, backbone, *strategies: str, trials=4, search=(), **training) -> TuneConfig:
    fit = Config(
        backbone=str(backbone),
        data=DataConfig(data=str(films), validation_share=0.4),
        tokens=TokensConfig(max_length=16),
        training=TrainingConfig(**training),
    )
    strategies = strategies or ("head",)
    return TuneConfig(strategies=strategies, search=search, trials=trials, budget=0, fit=fit)


def test_it_finds_settings_that_fit_reproduces(films, toy_backbone, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    monkeypatch.setattr("thawline.jobs.fit._draw", lambda *given: [])
    monkeypatch.setattr("thawline.compare.ladder.draw_ladder", lambda *given: [])
    command = ("tune", films, "-s", "last", *NAMED, "--backbone", toy_backbone(), "--trials", 3)
    command += ("--search", "epochs=1..2", "--search", "k=1,2", "--max-length", 16)
    done = thawline(*command)
    assert done.code == 0, done.err
    folder = Path("runs/tune-films")
    for words in ("best", "halves", "best.toml", str(folder / "tune.json")):
        assert words in done.out
    text = (folder / "tune.json").read_text(encoding="utf-8")
    record = TuneRecord.model_validate_json(text, strict=True)
    assert record.status == "finished"
    assert len(record.trials) == 2
    assert all(trial.state in ("finished", "pruned") for trial in record.trials)
    assert record.best.settings.keys() >= {"training.lr", "training.epochs", "strategy.k"}
    assert record.rung.startswith(record.best.strategy)

    fitted = thawline("fit", "--config", folder / "best.toml", "--out", "best", "--json").json
    assert fitted["validation"]["accuracy"]["value"] == pytest.approx(record.best.score)
    backbone = f"backbone={toy_backbone()}"
    assert backbone in record.rung
    compared = thawline("compare", films, *NAMED, "-s", record.rung, "--seeds", 1, "--json").json
    (rung,) = compared["rungs"]
    assert rung["nested"]["value"] <= 1
    run = read_record(Path("runs/compare-films", rung["runs"][0]["run"]))
    assert run.validation.accuracy.value == pytest.approx(record.best.score)


def test_trials_share_the_states_and_never_read_test(films, toy_backbone, monkeypatch):
    calls: dict[str, list] = {"open_backbone": [], "run_prefix": [], "tokenize": [], "load": []}

    def counted(place, name: str) -> None:
        original = getattr(place, name)

        def call(*arguments, **named):
            calls[name].append(arguments)
            return original(*arguments, **named)

        monkeypatch.setattr(place, name, call)

    counted(trials, "open_backbone")
    counted(trials, "run_prefix")
    counted(frozen_pass, "tokenize")
    config = config_for(films, toy_backbone(), trials=6, search=("head=mlp:4,mlp:8", "epochs=1..3"))
    record = tune(config, Path("tuned"))
    assert len(record.trials) == 5
    assert [len(calls[name]) for name in ("open_backbone", "run_prefix")] == [1, 1]
    read = [text for _, texts, *_ in calls["tokenize"] for text in texts]
    assert len(set(read)) == record.data.train + record.data.validation == 80
    assert not any(TEST_TEXT in text for text in read)


def test_copies_of_test_texts_are_left_out_of_unlabelled_texts(films, toy_backbone, toy_reviews):
    copies = [f"{TEST_TEXT}  {text}" for text in toy_reviews(24, 2)[0][:5]]
    write_table(Path("more.csv"), [*copies, *toy_reviews(9, 5)[0]], [0] * 14)
    config = config_for(films, toy_backbone("qwen3"), "tapt+head")
    fit = replace(config.fit, strategy="tapt+head", tapt=TaptConfig(unlabelled=("more.csv",)))
    dataset, test = job._load(replace(config, fit=fit))
    assert (len(dataset.test), len(test)) == (0, 24)
    trainer = trials.Trainer(dataset, Reporter(), test)
    for epochs in (1, 2):  # the texts are read once
        trainer.prepare(replace(fit, tapt=replace(fit.tapt, epochs=epochs)))
    (adaptation,) = trainer.adaptations()
    assert adaptation.unlabelled == 9
    assert adaptation.removed >= 5
    assert len(job._load(config_for(films, toy_backbone()))[1]) == 0


def test_a_single_validation_text_gives_no_score_by_halves(toy_backbone, toy_reviews):
    table = write_table(Path("few.csv"), *toy_reviews(12, 1))
    config = config_for(table, toy_backbone(), trials=2, search=("head=linear",))
    fit = replace(config.fit, data=DataConfig(data=str(table), validation_share=0.01))
    record = tune(replace(config, fit=fit), Path("tuned"))
    assert (record.data.validation, record.nested) == (1, None)


def test_known_settings_are_not_tried_again_and_end_a_small_space(films, toy_backbone, monkeypatch):
    monkeypatch.setattr(search, "MAX_REPEATED", 12)
    config = config_for(films, toy_backbone(), trials=50, search=("head=linear",))
    record = tune(config, Path("tuned"))
    assert {record.best.number, *(trial.number for trial in record.trials)} >= {0}
    assert 1 + len(record.trials) == 3  # the poolings
    assert record.repeated >= 12


def test_the_same_command_continues_and_another_space_is_refused(films, toy_backbone):
    config = config_for(films, toy_backbone(), trials=2, search=("head=mlp:4", "epochs=1,2"))
    assert len(tune(config, Path("tuned")).trials) == 1
    more = config_for(films, toy_backbone(), trials=4, search=("head=mlp:4", "epochs=1,2"))
    record = tune(more, Path("tuned"))
    assert len(record.trials) == 3
    other = config_for(films, toy_backbone(), trials=4, search=("head=mlp:4", "epochs=1,3"))
    with pytest.raises(ThawlineError) as caught:
        tune(other, Path("tuned"))
    assert caught.value.setting == "out"
    write_table(films / "train.csv", [f"other {row}" for row in range(80)], [0, 1] * 40)
    with pytest.raises(ThawlineError) as caught:
        tune(more, Path("tuned"))
    assert caught.value.setting == "out"
    assert len(tune(more, Path("elsewhere")).trials) == 3


def test_ctrl_c_keeps_what_was_found_and_tries_the_interrupted_trial_again(
    films, toy_backbone, monkeypatch
):
    config = config_for(films, toy_backbone(), trials=4, search=("head=mlp:4", "epochs=1..9"))
    run, tried = search.Trainer.run, []

    def interrupted(self, config, *arguments):
        tried.append(config)
        if len(tried) == 3:
            raise KeyboardInterrupt
        return run(self, config, *arguments)

    monkeypatch.setattr(search.Trainer, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tune(config, Path("tuned"))
    text = Path("tuned/tune.json").read_text(encoding="utf-8")
    stopped = TuneRecord.model_validate_json(text, strict=True)
    assert stopped.status == "stopped"
    record = tune(config, Path("tuned"))
    assert record.status == "finished"
    made = [record.best, *record.trials]
    assert sorted(trial.number for trial in made) == [0, 1, 3, 4]  # 2 did not fail
    assert {trial.state for trial in made} == {"finished"}
    assert tried[3] == tried[2]


def test_a_rate_that_is_too_high_is_a_bad_trial_and_other_errors_end_a_search(
    films, toy_backbone, monkeypatch
):
    def failing(self, *arguments):
        raise ThawlineError("a finite loss", "nan", "use a smaller rate", setting="training.lr")

    config = config_for(films, toy_backbone(), trials=3, search=("head=mlp:4",))
    with monkeypatch.context() as patch:
        patch.setattr(search.Trainer, "run", failing)
        with pytest.raises(ThawlineError):
            tune(config, Path("tuned"))
    record = tune(config_for(films, toy_backbone(), trials=4, search=("head=mlp:4",)), "tuned")
    assert [trial.state for trial in record.trials] == ["pruned"] * 3
    assert all(trial.error is not None for trial in record.trials)

    monkeypatch.setattr(search.Trainer, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tune(config, Path("broken"))


def test_a_strategy_that_cannot_run_and_a_missing_extra_are_errors(
    films, toy_backbone, monkeypatch
):
    with pytest.raises(ThawlineError) as caught:
        tune(config_for(films, toy_backbone("qwen3"), "bitfit"), Path("tuned"))
    assert caught.value.setting == "strategy"
    with pytest.raises(ThawlineError):
        tune(config_for(films, toy_backbone(), "last", search=("k=1..9",)), Path("tuned"))
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert "thawline[tune]" in refusal(thawline("tune", films))
    assert not Path("tuned").exists()


def test_it_draws_what_mattered(films, toy_backbone, monkeypatch):
    monkeypatch.setattr(job, "MIN_TRIALS", 10)
    space = ("head=mlp:4,mlp:8", "epochs=1..2")
    config = config_for(films, toy_backbone(), trials=22, search=space)
    record = tune(config, Path("tuned"), Reporter())
    finished = [trial for trial in record.trials if trial.state == "finished"]
    assert len(finished) >= 9
    assert {one.key for one in record.importances} >= {"training.lr", "head.head"}
    assert sum(one.importance for one in record.importances) == pytest.approx(1)
    for name in record.plots:
        assert (Path("tuned") / name).stat().st_size > 1_000
    assert len(record.plots) == 2


def test_nothing_mattered_if_all_scores_are_equal(films, toy_backbone, monkeypatch, recwarn):
    monkeypatch.setattr(job, "MIN_TRIALS", 3)
    space = ("lr=1e-9..2e-9", "epochs=1,2")
    record = tune(config_for(films, toy_backbone(), "full", trials=4, search=space), Path("tuned"))
    assert len({trial.score for trial in (record.best, *record.trials)}) == 1
    assert (record.importances, record.plots) == ([], [])
    assert not [one for one in recwarn if "quantiles" in str(one.message)]


def finished_trials(file: Path) -> int:
    if not file.is_file():
        return 0
    try:
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10) as base:
            ((found,),) = base.execute("select count(*) from trials where state = 'COMPLETE'")
    except sqlite3.OperationalError:  # the tables do not exist yet
        return 0
    return int(found)


def test_two_processes_share_a_study_and_survive_a_kill(films, toy_backbone, tmp_path):
    out = tmp_path / "shared"
    command = [sys.executable, "-m", "thawline", "tune", films, "--backbone", toy_backbone()]
    command += ["--search", "head=mlp:4", "--search", "epochs=1..20", "--max-length", "16"]
    command += ["--set", "fit.data.validation_share=0.4", "--trials", "14", "--out", out]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    first, second = (
        subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    )
    end = time.monotonic() + 200
    while finished_trials(out / STUDY) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    first.communicate()
    _, errors = second.communicate()
    assert second.returncode == 0, errors
    text = (out / "tune.json").read_text(encoding="utf-8")
    record = TuneRecord.model_validate_json(text, strict=True)
    ended = [trial for trial in (record.best, *record.trials) if trial.state != "failed"]
    assert 14 <= len(ended) <= 15
    assert len({str(trial.settings) for trial in ended}) == len(ended)
