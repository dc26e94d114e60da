"""Ladders on toys: identical rows for all rungs, resuming, errors, and the record."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.command_line import ProverHere, write_set
from tests.support.kills import killed_after
from tests.support.toys import DEPTH
from thawline import artifact
from thawline.compare.forecast import Forecast
from thawline.compare.ladder import run_ladder
from thawline.config import ComputeConfig, Config, DataConfig, EncoderConfig, LadderConfig
from thawline.errors import ThawlineError
from thawline.jobs import fit as job
from thawline.report.ladder import ladder_lines
from thawline.runs.layout import LADDER
from thawline.runs.records import LadderRecord, StartedLadder, read_record
from thawline.runtime import hardware
from thawline.runtime.progress import Reporter


class Notebook(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def message(self, text: str) -> None:
        self.notes.append(text)


class Counted(ProverHere):
    started = 0

    def __init__(self, device: str) -> None:
        super().__init__(device)
        type(self).started += 1


@pytest.fixture(autouse=True)
def _prove_here(monkeypatch, request):
    monkeypatch.setattr(Counted, "started", 0)
    monkeypatch.setattr(artifact, "Prover", Counted)
    monkeypatch.setattr(job, "_draw", lambda *given: [])  # of each run: half of the time here
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("thawline.compare.ladder.draw_ladder", lambda *given: [])


@pytest.fixture
def drawn() -> None:
    """Draw the plots of the ladder, which take much of the time."""


@pytest.fixture(scope="module")
def films(tmp_path_factory, toy_reviews) -> Path:
    folder = tmp_path_factory.mktemp("ladder") / "films"
    return write_set(folder, {"train": toy_reviews(80, 1), "test": toy_reviews(32, 2)})


@pytest.fixture(scope="module")
def ladder(films, toy_backbone) -> LadderConfig:
    fit = Config(
        backbone=str(toy_backbone()),
        data=DataConfig(data=str(films), labels=("neg", "pos")),
        compute=ComputeConfig(dtype="float32"),
    )
    rungs = ("head", "last:1 training.epochs=1")
    return LadderConfig(rungs=rungs, seeds=(0,), fit=fit)


@pytest.fixture(scope="module")
def made(ladder, tmp_path_factory) -> Path:
    """The folder of the finished ladder, with its plots."""
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(root / "home"))
        patch.setattr(artifact, "Prover", ProverHere)
        patch.setattr(job, "_draw", lambda *given: [])
        run_ladder(ladder, root / "ladder", Reporter())
    return root / "ladder"


@pytest.fixture
def finished(made) -> dict:
    """Copy the finished ladder to the working folder, and return its record."""
    shutil.copytree(made, "ladder")
    return read_record(Path("ladder")).to_dict()


def climb(config: LadderConfig, out: str = "ladder") -> tuple[dict, list[str]]:
    notebook = Notebook()
    return run_ladder(config, Path(out), notebook).to_dict(), notebook.notes


def changes(folder: str) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in Path(folder).rglob("record.json")}


@pytest.mark.usefixtures("drawn")
def test_rungs_are_compared_on_identical_rows_and_everything_is_in_the_record(ladder):
    record, notes = climb(ladder)
    written = json.loads(Path("ladder", LADDER).read_text(encoding="utf-8"))
    assert written == record
    assert read_record(Path("ladder")).to_dict() == record
    assert isinstance(read_record(Path("ladder", LADDER)), LadderRecord)
    assert (record["status"], record["data"]["name"]) == ("finished", "films")
    assert {"versions", "hardware", "started", "seconds"} < set(record)
    head, last = record["rungs"]
    assert [rung["rung"] for rung in (head, last)] == ["head", "last:1"]
    assert [rung["line"] for rung in (head, last)] == [DEPTH + 1, DEPTH]
    runs = [read_record(Path("ladder", rung["runs"][0]["run"])).to_dict() for rung in (head, last)]
    assert runs[0]["data"] == runs[1]["data"]
    assert runs[0]["data"]["sha256"] == record["data"]["sha256"]
    for rung, run in zip((head, last), runs, strict=True):
        assert rung["parameters"] == run["parameters"]
        assert {key: rung["cost"][key] for key in run["cost"]} == run["cost"]
        assert rung["peak_memory_bytes"] == run["peak_memory_bytes"] > 0
        for score in ("accuracy", "f1_macro"):
            assert rung["test"][score] == {**run["test"][score], "deviation": None}
    (pair,) = record["pairs"]
    accuracies = [rung["test"]["accuracy"]["value"] for rung in (head, last)]
    assert (pair["first"], pair["second"]) == ("head", "last:1")
    assert pair["accuracy"]["value"] == pytest.approx(accuracies[0] - accuracies[1])
    assert pair["accuracy"]["low"] <= pair["accuracy"]["value"] <= pair["accuracy"]["high"]
    assert 0 < pair["test"]["p"] <= pair["test"]["p_corrected"] <= 1
    for rung, difference in ((head, 1), (last, -1)):
        below = rung["standing"]["below_best"]["value"]
        assert below == pytest.approx(-difference * pair["accuracy"]["value"])
    verdict, chosen = record["verdict"], record["chosen"]
    assert (verdict["margin"], verdict["cost"], verdict["about"]) == (0.01, "seconds", "models")
    within = [rung for rung in (head, last) if rung["standing"]["decision"] == "within"]
    assert verdict["rung"] in ([rung["rung"] for rung in within] or [None])
    (taken,) = [rung for rung in (head, last) if rung["rung"] == chosen["rung"]]
    assert chosen["score"] == taken["nested"]["value"]
    assert artifact.load(Path("ladder", chosen["run"])).labels.names == ("neg", "pos")
    drawn = ("rungs", "differences", "tradeoff", "curves")
    plots = [f"{name}.{kind}" for name in drawn for kind in ("png", "svg")]
    assert record["plots"] == plots
    assert all(Path("ladder", plot).is_file() for plot in record["plots"])
    assert Counted.started == 1
    assert sum(note.startswith("-- last:1, seed 0 (") for note in notes) == 1
    assert len(notes) == len(set(notes))


def test_finished_runs_are_kept_and_rungs_and_seeds_may_be_added(ladder, finished):
    before = finished
    kept = changes("ladder")
    again, notes = climb(ladder)
    assert changes("ladder") == kept
    assert [rung["test"] for rung in again["rungs"]] == [rung["test"] for rung in before["rungs"]]
    assert Counted.started == 0
    folder = Path("ladder").absolute() / "head-seed-0"
    assert any(f"'{folder}'" in note for note in notes)
    more, _ = climb(replace(ladder, rungs=("head", "full"), seeds=(0, 1)))
    assert [run["seed"] for run in more["rungs"][1]["runs"]] == [0, 1]
    assert more["rungs"][0]["runs"][0]["run"] == before["rungs"][0]["runs"][0]["run"]


@pytest.mark.slow
def test_a_margin_that_is_changed_later_is_in_the_record(ladder):
    first, _ = climb(ladder)
    assert "first_margin" not in first
    changed, _ = climb(replace(ladder, margin=50.0))
    assert changed["first_margin"] == 1.0
    assert changed["verdict"]["margin"] == 0.5
    assert "1 point" in changed["verdict"]["words"]
    again, _ = climb(replace(ladder, margin=50.0))
    assert again["first_margin"] == 1.0
    back, _ = climb(ladder)
    assert "first_margin" not in back


def test_several_seeds_have_a_mean_and_a_deviation(ladder):
    record, _ = climb(replace(ladder, rungs=("full training.epochs=1",), seeds=(0, 1, 2)))
    (full,) = record["rungs"]
    values = [run["test"]["accuracy"]["value"] for run in full["runs"]]
    accuracy = full["test"]["accuracy"]
    assert accuracy["value"] == pytest.approx(sum(values) / 3)
    assert min(values) <= accuracy["value"] <= max(values)
    assert accuracy["deviation"] >= 0
    assert len({json.dumps(run["history"]) for run in full["runs"]}) == 3
    assert record["verdict"]["rung"] == "full"
    assert "32" in record["verdict"]["words"]


def test_a_stopped_ladder_is_resumed(ladder, monkeypatch):
    from thawline.compare import fitting as module

    fit_run, made = module.fit_run, []

    def stop_at_the_second(config, folder, *more, **how):
        if len(made) == 1:
            made.append(None)
            raise KeyboardInterrupt
        made.append(folder.name)
        return fit_run(config, folder, *more, **how)

    monkeypatch.setattr(module, "fit_run", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        climb(ladder)
    stopped = read_record(Path("ladder"))
    assert isinstance(stopped, StartedLadder)
    assert stopped.status == "stopped"
    assert len(stopped.predicted) == 2  # those of the finished and of the stopped run
    kept = changes("ladder")
    record, _ = climb(ladder)
    assert record["status"] == "finished"
    assert record["predicted"].items() >= stopped.predicted.items()
    assert all(rung["cost"]["predicted"] > 0 for rung in record["rungs"])
    assert len(kept) == 1
    assert changes("ladder").items() >= kept.items()


def cut(file: str, share: float) -> None:
    """Leave only the beginning of a file."""
    path = Path(file)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def without_predictions(value: object) -> object:
    """Return a part of a record without the predicted seconds, which only ladder.json holds."""
    if isinstance(value, dict):
        return {k: without_predictions(v) for k, v in value.items() if k != "predicted"}
    return [without_predictions(one) for one in value] if isinstance(value, list) else value


@pytest.mark.usefixtures("finished")
def test_nothing_is_measured_for_a_finished_ladder(ladder, monkeypatch):
    def refuse(*arguments: object, **options: object) -> float:
        raise AssertionError("a rate was measured")

    monkeypatch.setattr(hardware, "_RATES", {})
    for name in ("_measure_rate", "_measure_word_rate"):
        monkeypatch.setattr(hardware, name, refuse)
    record, _ = climb(ladder)
    assert record["status"] == "finished"


def test_a_ladder_without_its_record_is_made_again_from_its_runs(ladder, finished):
    before = finished
    kept = changes("ladder")
    for share in (None, 0.0, 0.5):
        if share is None:
            Path("ladder", LADDER).unlink()
        else:
            cut(f"ladder/{LADDER}", share)
        record, notes = climb(ladder)
        assert changes("ladder") == kept
        for key in ("rungs", "pairs", "verdict", "chosen", "status", "config"):
            assert without_predictions(record[key]) == without_predictions(before[key]), key
        assert sum(LADDER in note for note in notes) == 1


def test_a_damaged_run_is_made_again_and_the_others_are_kept(ladder, finished):
    before = finished
    kept = changes("ladder")
    for files in (
        {"record.json": 0.5},
        {"record.json": 0.0, "config.toml": 0.3},
        {"record.json": None, "config.toml": 0.0},
        {"record.json": 0.9, "config.toml": None},
    ):
        for name, share in files.items():
            if share is None:
                Path("ladder/last-1-seed-0", name).unlink()
            else:
                cut(f"ladder/last-1-seed-0/{name}", share)
        cut(f"ladder/{LADDER}", 0.7)
        record, notes = climb(ladder)
        now = changes("ladder")
        assert now["head-seed-0"] == kept["head-seed-0"]
        assert now["last-1-seed-0"] > kept["last-1-seed-0"]
        assert any("last-1-seed-0" in note and "made again" in note for note in notes)
        for old, new in zip(before["rungs"], record["rungs"], strict=True):
            assert old["test"] == new["test"]


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_a_killed_ladder_is_continued_by_the_same_command(ladder, kills):
    def job(folder: Path) -> None:
        run_ladder(replace(ladder, budget=0, refit=True), folder)

    start = time.monotonic()
    killed_after(job, Path("whole"), None)
    duration = time.monotonic() - start
    chance = random.Random(0)
    for _ in range(kills):
        killed_after(job, Path("killed"), chance.uniform(0, duration))
    killed_after(job, Path("killed"), None)
    whole, killed = (read_record(Path(name)) for name in ("whole", "killed"))
    assert [rung.test for rung in killed.rungs] == [rung.test for rung in whole.rungs]
    assert killed.pairs == whole.pairs
    assert (Path("killed") / killed.refit / "record.json").is_file()


@pytest.mark.usefixtures("finished")
def test_other_settings_and_other_rows_are_refused(ladder, films, tmp_path, toy_reviews):
    other = replace(ladder, fit=replace(ladder.fit, data=replace(ladder.fit.data, limit=(40, 20))))
    with pytest.raises(ThawlineError) as caught:
        climb(other)
    folder = Path("ladder").absolute() / "head-seed-0"
    assert caught.value.setting == "data.limit"
    assert caught.value.found == "'40,20'"
    assert f"'{folder}'" in caught.value.expected
    moved = write_set(tmp_path / "moved", {"train": toy_reviews(80, 3), "test": toy_reviews(32, 2)})
    config = Path("ladder/head-seed-0/config.toml")
    config.write_text(config.read_text().replace(str(films), str(moved)))
    data = replace(ladder.fit.data, data=str(moved))
    with pytest.raises(ThawlineError) as caught:
        climb(replace(ladder, rungs=("head",), fit=replace(ladder.fit, data=data)))
    assert f"'{folder}'" in caught.value.expected
    assert "moved" in caught.value.found


def test_a_backbone_that_is_made_of_the_texts_is_a_rung_s_too(ladder):
    encoder = EncoderConfig(vectors="random", width=16, heads=2, feed_forward=32)
    made = replace(ladder.fit, backbone="glove", encoder=encoder)
    rungs = ("full training.epochs=1", "full training.epochs=1 encoder.layers=1")
    record, _ = climb(replace(ladder, rungs=rungs, fit=made))
    two, one = (rung["parameters"]["trainable"] for rung in record["rungs"])
    assert two > one
    with pytest.raises(ThawlineError) as caught:
        climb(replace(ladder, rungs=("head", "head encoder.heads=3"), fit=made), "another")
    assert "encoder.heads" in caught.value.expected
    assert caught.value.found == "16"
    assert not Path("another").exists()


def test_all_rungs_are_checked_before_one_is_fitted(ladder):
    wrong = {
        "lsat:1": "lsat",
        "last:9": "9",
        "last:1 training.epoch=2": "training.epoch",
        "last:1 training.epochs=0": "0",
        "last:1 training.lr=1 training.lr=2": "twice",
        "last:1 data.limit=[1,1]": "data.limit",
        "last:1 seed=1": "seed=1",
        "last:1 --lr 3": "--lr",
        "": "''",
    }
    for rung, datum in wrong.items():
        with pytest.raises(ThawlineError) as caught:
            climb(replace(ladder, rungs=("head", rung)))
        assert datum in str(caught.value), rung
    for twice in (("full", "full"), ("last:1 training.lr=1", "last:1 training.lr=+1")):
        with pytest.raises(ThawlineError) as caught:
            climb(replace(ladder, rungs=twice))
        assert caught.value.setting == "rungs"
        assert caught.value.found == ", ".join(map(repr, twice))
    assert not Path("ladder").exists()
    Path("ladder").mkdir()
    Path("ladder/letter.txt").touch()
    with pytest.raises(ThawlineError) as caught:
        climb(ladder)
    assert "'ladder'" in caught.value.found


class NoProof(Counted):
    def compare(self, *anything):
        raise ThawlineError("the same", "another", "report it")


def test_a_ladder_fails_if_all_its_runs_fail(ladder, monkeypatch):
    monkeypatch.setattr(artifact, "Prover", NoProof)
    with pytest.raises(ThawlineError) as caught:
        climb(ladder)
    assert (caught.value.expected, caught.value.found) == ("the same", "another")
    record = read_record(Path("ladder"))
    assert isinstance(record, StartedLadder)
    assert record.status == "failed"
    assert record.error == f"ThawlineError: {caught.value}"


@pytest.mark.usefixtures("drawn")
def test_a_rung_that_fails_does_not_take_the_others_with_it(ladder):
    rungs = ("head", "last:1 training.lr=1e6 training.warmup_share=0 training.max_grad_norm=1e6")
    record, notes = climb(replace(ladder, rungs=rungs, seeds=(0, 1)))
    assert record["status"] == "finished"
    assert [rung["rung"] for rung in record["rungs"]] == ["head"]
    (failed,) = record["failed"]
    assert (failed["rung"], failed["seed"]) == ("last:1", 0)
    assert "`training.lr`" in failed["error"]
    assert sum("failed" in note for note in notes) == 1
    assert read_record(Path("ladder", "last-1-seed-0")).status == "failed"
    assert record["verdict"]["rung"] in ("head", None)


def test_what_exceeds_the_budget_is_left_out_and_made_with_a_larger_one(ladder, monkeypatch):
    seconds = {"head": 2.0, "last:1": 5.0}
    monkeypatch.setattr(Forecast, "seconds", lambda self, rung, *stored: seconds[rung])
    record, _ = climb(replace(ladder, budget=4.0))
    assert [rung["rung"] for rung in record["rungs"]] == ["head"]
    (left_out,) = record["left_out"]
    assert (left_out["rung"], left_out["predicted"]) == ("last:1", 5.0)
    assert record["predicted"] == {"head": 2.0}
    kept = changes("ladder")
    more, _ = climb(replace(ladder, budget=0))
    assert [rung["rung"] for rung in more["rungs"]] == ["head", "last:1"]
    assert more["left_out"] == []
    assert [rung["cost"]["predicted"] for rung in more["rungs"]] == [2.0, 5.0]
    assert changes("ladder").items() >= kept.items()
    with pytest.raises(ThawlineError) as caught:
        climb(replace(ladder, budget=1.0), "another")
    assert caught.value.setting == "budget"
    assert not Path("another").exists()


@pytest.mark.usefixtures("drawn")
def test_several_backbones_are_compared_and_another_one_reuses_what_is_there(ladder, toy_backbone):
    first, second = str(toy_backbone()), str(toy_backbone("qwen3"))
    fit = replace(ladder.fit, backbone=first)
    climb(replace(ladder, rungs=("tfidf", "head"), fit=fit))
    kept = changes("ladder")
    config = replace(ladder, rungs=("tfidf", "head"), backbones=(first, second), fit=fit)
    record, _ = climb(config)
    names = [f"{Path(one).name} head" for one in (first, second)]
    assert [rung["rung"] for rung in record["rungs"]] == ["tfidf", *names]
    assert [rung["backbone"] for rung in record["rungs"]] == [None, first, second]
    title = "".join(
        re.findall(r">([^<]+)</text>", Path("ladder/differences.svg").read_text("utf-8"))
    )
    assert all(Path(one).name in title for one in (first, second))
    assert len(changes("ladder")) == 3
    assert changes("ladder").items() >= kept.items()


def test_a_rung_that_one_backbone_cannot_run_is_left_out_there(ladder, toy_backbone):
    without_biases, with_biases = str(toy_backbone("qwen3")), str(toy_backbone())
    config = replace(ladder, rungs=("tfidf", "bitfit training.epochs=1"))
    both = replace(config, backbones=(without_biases, with_biases))
    record, notes = climb(both)
    names = [f"{Path(one).name} bitfit" for one in (without_biases, with_biases)]
    assert [rung["rung"] for rung in record["rungs"]] == ["tfidf", names[1]]
    (left_out,) = record["left_out"]
    assert (left_out["rung"], left_out["predicted"]) == (names[0], None)
    assert left_out["reason"]
    assert sum(names[0] in note for note in notes) == 1
    assert f"left out  {names[0]}" in "\n".join(ladder_lines(LadderRecord(**record)))
    # Where no backbone can run it, it is a mistake, and so is a backbone that does not exist.
    for backbones in ((without_biases,), (without_biases, "no/such/backbone")):
        with pytest.raises(ThawlineError):
            climb(replace(config, backbones=backbones), "another")
    assert not Path("another").exists()


@pytest.mark.parametrize("rung", ["tfidf", "head", "head+tfidf", "lp+last:1 training.epochs=2"])
def test_the_chosen_one_is_fitted_on_train_and_validation_with_what_was_chosen(ladder, rung):
    if rung == "tfidf":
        ladder = replace(ladder, fit=Config(data=ladder.fit.data))
    record, _ = climb(replace(ladder, rungs=(rung,), refit=True))
    chosen = record["chosen"]["run"]
    assert record["refit"] == f"refit-{chosen}"
    before, after = (read_record(Path("ladder", name)) for name in (chosen, record["refit"]))
    rows = {name: len(part) for name, part in before.data.rows.items()}
    assert len(after.data.rows["train"]) == rows["train"] + rows["validation"]
    assert after.data.rows["test"] == before.data.rows["test"]
    assert after.features == before.features
    assert not any(line.startswith("leakage") for line in after.preflight.findings)
    assert after.preflight.leakage.copies[0].texts > 0
    if rung.startswith("lp+"):
        assert len({step.penalty for step in after.head_first.choice}) == 1
        assert after.kept.epoch == after.epochs == max(1, before.kept.epoch)
    else:
        (step,) = after.choice
        best = min(before.choice, key=lambda step: step.loss)
        assert (step.stages, step.penalty) == (best.stages, best.penalty)
        assert step.words_penalty == pytest.approx(best.words_penalty)
    kept = changes("ladder")
    climb(replace(ladder, rungs=(rung,), refit=True))
    assert changes("ladder") == kept


@pytest.mark.usefixtures("drawn")
def test_learning_curves_are_measured_on_nested_parts_with_the_same_test_rows(ladder):
    config = replace(ladder, rungs=("tfidf", "head"), sizes=(20, 40, 500))
    record, notes = climb(config)
    curves = record["curves"]
    assert curves["sizes"] == [20, 40, 80]
    assert curves["left_out"] == [500]  # more than there are
    assert [(point["rung"], point["rows"]) for point in curves["points"]] == [
        (rung, rows) for rows in (20, 40, 80) for rung in ("tfidf", "head")
    ]
    whole = {rung["rung"]: rung["test"]["accuracy"] for rung in record["rungs"]}
    for point in curves["points"][-2:]:
        assert point["accuracy"] == whole[point["rung"]]
    assert [one["rung"] for one in curves["enough"]] == ["tfidf", "head"]
    rows = {
        size: read_record(Path(f"ladder/{folder}head-seed-0")).data.rows
        for size, folder in ((20, "rows-20/"), (40, "rows-40/"), (80, ""))
    }
    assert set(rows[20]["train"]) < set(rows[40]["train"]) < set(rows[80]["train"])
    assert set(rows[20]["validation"]) < set(rows[40]["validation"]) <= set(rows[80]["validation"])
    assert len(rows[20]["train"] + rows[20]["validation"]) == 20
    assert rows[20]["test"] == rows[80]["test"]
    kept = changes("ladder")
    again, _ = climb(config)
    assert changes("ladder") == kept
    assert again["curves"] == curves
    assert sum(note.startswith("-- with 20 of 80") for note in notes) == 1
    assert Path("ladder/learning.png").is_file()
    without, _ = climb(replace(config, sizes=()))
    drawn = {path.name for kind in ("png", "svg") for path in Path("ladder").glob(f"*.{kind}")}
    assert drawn == set(without["plots"])  # the plot of the learning curves is gone


@pytest.mark.usefixtures("drawn")
def test_draws_have_other_training_rows_and_are_added_to_a_comparison(ladder):
    data = replace(ladder.fit.data, limit=(24, 32))
    config = replace(ladder, rungs=("tfidf", "last:1 training.epochs=1"), budget=0)
    config = replace(config, fit=replace(config.fit, data=data))
    first, _ = climb(config)
    assert first["verdict"]["about"] == "models"
    assert "drawn" not in first
    kept = changes("ladder")
    record, notes = climb(replace(config, draws=2))
    assert changes("ladder").items() >= kept.items()
    folders = [
        [(run["draw"], run["seed"], run["run"]) for run in rung["runs"]] for rung in record["rungs"]
    ]
    assert folders == [
        [(0, 0, f"{stem}-seed-0"), (1, 1_000, f"draw-1/{stem}-seed-1000")]
        for stem in ("tfidf", "last-1")
    ]
    rows, others = (
        [read_record(Path("ladder", name)).data.rows for _, _, name in own] for own in folders
    )
    assert others == rows  # all rungs have the rows of the draw
    labelled = [{*one["train"], *one["validation"]} for one in rows]
    assert not labelled[0] & labelled[1]
    assert rows[0]["test"] == rows[1]["test"]
    assert record["drawn"] == {"draws": [0, 1], "rows": 24, "overlap": 0.0, "separate": 3}
    assert record["verdict"]["about"] == "new_rows"
    for rung, before in zip(record["rungs"], first["rungs"], strict=True):
        values = [run["test"]["accuracy"]["value"] for run in rung["runs"]]
        assert rung["test"]["accuracy"]["value"] == pytest.approx(sum(values) / 2)
        assert rung["nested"] == before["nested"]  # the run to use is chosen on draw 0
    assert record["chosen"] == first["chosen"]
    assert sum(note.startswith("-- tfidf, draw 1, seed 1000 (") for note in notes) == 1
    made = changes("ladder")
    again, _ = climb(replace(config, draws=2))
    assert changes("ladder") == made
    assert again["rungs"] == record["rungs"]
    fewer, _ = climb(config)
    assert fewer["rungs"] == first["rungs"]


def test_numbers_of_rows_are_nested_in_draws(ladder):
    data = replace(ladder.fit.data, limit=(40, 32))
    fit = replace(ladder.fit, data=data)
    config = replace(ladder, rungs=("head",), sizes=(20,), draws=2, fit=fit)
    record, _ = climb(config)
    curves = record["curves"]
    assert curves["sizes"] == [20, 40]
    assert curves["over_draws"]
    assert all(point["accuracy"]["deviation"] is not None for point in curves["points"])
    for draw in ("", "draw-1/"):
        name = f"head-seed-{1_000 if draw else 0}"
        small, whole = (
            read_record(Path("ladder", f"{place}{draw}{name}")).data.rows
            for place in ("rows-20/", "")
        )
        for split in ("train", "validation"):
            assert set(small[split]) < set(whole[split])


def test_draws_need_other_rows(ladder):
    with pytest.raises(ThawlineError) as caught:
        climb(replace(ladder, draws=2))
    assert caught.value.setting == "data.limit"
    assert not Path("ladder").exists()


def test_the_latency_is_measured_if_it_is_the_cost(ladder):
    record, _ = climb(replace(ladder, rungs=("tfidf", "head"), cost="latency"))
    latencies = {rung["rung"]: rung["cost"]["latency"] for rung in record["rungs"]}
    assert all(latency > 0 for latency in latencies.values())
    assert record["verdict"]["cost"] == "latency"
    (chosen,) = [rung for rung in record["rungs"] if rung["rung"] == record["chosen"]["rung"]]
    assert chosen["cost"]["latency"] == latencies[chosen["rung"]]
    without, _ = climb(replace(ladder, rungs=("tfidf", "head")))
    assert {rung["cost"]["latency"] for rung in without["rungs"]} == {None}
