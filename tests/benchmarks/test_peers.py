"""The benchmark of peers: its jobs, its scripts, its results file and its table."""

from __future__ import annotations

import json
import re
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import peer_scripts, peers, peers_report, peers_runs
from benchmarks.peers_report import FILLED, THAWLINE, Batches
from tests.support.command_line import write_set
from thawline.config import DataConfig
from thawline.data import load

WORDS = ["--data", "thawline/reviews", "--labels", "neg,pos"]
BLOCKS = [f"layer.{number}" for number in range(4)]
SCORE = {"value": 0.855, "low": 0.84, "high": 0.87}


def parse(*words: str) -> Namespace:
    return peers.parse([*WORDS, *words])


def test_data_is_needed_unless_only_the_table_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        peers.parse([])
    assert "--data" in capsys.readouterr().err
    assert peers.parse(["--table"]).table == ""


def test_frozen_peers_are_compared_with_the_head_alone() -> None:
    options = parse()
    assert peers.peers_of(options, "head") == list(peer_scripts.SCRIPTS)
    assert peers.peers_of(options, "last:1") == ["trainer", "trainer-best"]
    assert peers.peers_of(parse("--peers", "encode", "trainer"), "full") == ["trainer"]


def test_each_round_runs_all_sides_on_all_rows() -> None:
    full = (40, 20)
    options = parse("--train", "40", "--test", "20")
    assert peers.units(options, ["trainer", "encode"]) == [
        *(("trainer", full), ("encode", full), (THAWLINE, full), (FILLED, full)),
    ]


def test_slow_scripts_run_on_two_parts_and_quick_ones_on_all_rows() -> None:
    full, part, quarter = (4_000, 2_000), (160, 80), (40, 20)
    options = parse("--script-rows", "160,80")
    assert peers.units(options, ["trainer", "model2vec", "autointent"]) == [
        *(("trainer", part), ("model2vec", part), ("autointent", part)),
        *((THAWLINE, part), (FILLED, part)),
        *(("model2vec", full), (THAWLINE, full), (FILLED, full)),
        ("trainer", quarter),
    ]


@pytest.mark.parametrize(
    ("strategy", "trained", "rate"),
    [
        ("head", {"trained": "head"}, peers_runs.HEAD_LR),
        ("last:2", {"trained": "blocks", "blocks": 2}, 1e-3),
        ("lora:r=2", {"trained": "adapters", "r": 2, "alpha": 32, "dropout": 0.1}, 2e-3),
        ("full", {"trained": "all"}, 2e-4),
    ],
)
def test_a_script_trains_what_the_strategy_trains(
    strategy: str, trained: dict[str, Any], rate: float
) -> None:
    options = parse("--epochs", "2", "--best-batch-size", "32")
    job = peers_runs.job_of(options, "trainer-best", strategy)
    assert job["strategy"] == trained
    assert (job["lr"], job["epochs"], job["batch_size"], job["eval_batch_size"]) == (
        rate,
        2,
        32,
        64,
    )


@pytest.mark.parametrize("strategy", ["lp+full", "lp+lora", "lora:from=3"])
def test_no_script_trains_like_some_strategies(strategy: str) -> None:
    with pytest.raises(SystemExit, match=re.escape(strategy)):
        peers_runs.job_of(parse(), "trainer", strategy)


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        ({"trained": "head"}, {"classifier"}),
        ({"trained": "blocks", "blocks": 1}, {"layer.3", "pooler", "classifier"}),
        ({"trained": "all"}, {"embeddings", *BLOCKS, "pooler", "classifier"}),
        ({"trained": "adapters", "r": 2, "alpha": 4, "dropout": 0.0},
         {*BLOCKS, "classifier"}),
    ],
)  # fmt: skip
def test_a_script_freezes_what_does_not_train(
    toy_backbone: Callable[[str], Path], trained: dict[str, Any], expected: set[str]
) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(toy_backbone("bert"), num_labels=2)
    found = peer_scripts.freeze(model, trained).named_parameters()
    names = [name for name, parameter in found if parameter.requires_grad]
    parts = r"embeddings|layer\.\d|pooler|classifier"
    assert {re.search(parts, name)[0] for name in names} == expected  # type: ignore[index]
    if trained["trained"] == "adapters":
        assert all("lora" in name or "classifier" in name for name in names)
        assert {re.search(r"query|key|value", name)[0] for name in names if "lora" in name} == {
            "query"
        }  # type: ignore[index]


def test_thawline_runs_the_same_job_and_its_record_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seconds = {"tokenising": 1.0, "prefix": 20.0, "training": 3.0, "evaluation": 1.0, "total": 25.0}
    record = {
        "test": {"accuracy": SCORE, "f1_macro": SCORE},
        "seconds": seconds,
        "epochs": None,
        "line": 7,
        "parameters": {"trainable": 770, "frozen": 22_713_216, "total": 22_713_986},
        "peak_memory_bytes": 10**9,
    }
    executed: list[Any] = []

    def timed(command: list[str], environment: dict[str, str]) -> tuple[str, float]:
        executed.extend([command[1:], environment])
        return json.dumps(record), 30.0

    monkeypatch.setattr(peers_runs, "timed", timed)
    monkeypatch.setattr(peers_runs.shutil, "which", lambda program, path: program)
    options = parse("--seed", "3")
    measured = peers_runs.run_thawline(options, THAWLINE, "head", (60, 40), tmp_path)
    command, environment = executed
    given = dict(zip(command[2::2], command[3::2], strict=True))
    assert command[:2] == ["fit", "--json"]
    assert given == {
        "--out": str(tmp_path / THAWLINE),
        "--data": "thawline/reviews",
        "--labels": "neg,pos",
        "--backbone": "minilm",
        "--strategy": "head",
        "--max-length": "512",
        "--seed": "3",
        "--limit": "60,40",
    }
    assert environment == {"THAWLINE_HOME": str(tmp_path)}
    assert (measured["process_seconds"], measured["training_seconds"]) == (30, 3)
    assert measured["accuracy"] == SCORE

    command = peers_runs.thawline_command(parse("--epochs", "2"), "last:1", (60, 40))
    assert (
        dict(zip(command[2::2], command[3::2], strict=True)).items()
        >= {
            "--head": "native",
            "--epochs": "2",
            "--batch-size": "16",
            "--lr": "0.001",
            "--set": "training.keep=last",
        }.items()
    )


def test_padding_is_counted_by_the_order_of_the_batches() -> None:
    lengths = [10, 1, 10, 1, 10, 1]
    assert peers_report.padded_tokens(lengths, Batches(1, sorted_over=1)) == 33
    assert peers_report.padded_tokens(lengths, Batches(3, sorted_over=None)) == 33
    assert 33 <= peers_report.padded_tokens(lengths, Batches(3, sorted_over=1)) <= 60
    assert peers_report.padded_tokens(lengths, Batches(4, sorted_over=None)) == 42
    assert peers_report.padded_tokens([7], Batches(16, sorted_over=50)) == 7


def test_frozen_scripts_encode_the_validation_rows_with_those_of_train() -> None:
    lengths = {"train": [1] * 31, "validation": [9], "test": [2, 3]}
    assert peers_runs.work_of(parse(), "encode", lengths) == {
        "train": 0, "validation": 0, "test": 32 * 9 + 2 * 3
    }  # fmt: skip
    work = peers_runs.work_of(parse(), "trainer-best", lengths)
    assert work == {"train": 31, "validation": 9, "test": 6}


def run(side: str, rows: tuple[int, int], seconds: float, **more: Any) -> dict[str, Any]:
    base = {"round": 0, "accuracy": SCORE, "training_seconds": 0.0, "inference_seconds": 0.0}
    return base | {"side": side, "rows": list(rows), "process_seconds": seconds, **more}


def row(runs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    known = dict.fromkeys(peers.KEY)
    sizes = {"train": 4_000, "test": 2_000, "epochs": 3, "all_epochs": [3]}
    base = {"data": "imdb", "strategy": "last:1", "work": {}, "failed": [], "runs": runs}
    return known | sizes | base | more


def test_ratios_are_taken_within_a_round_and_their_median_is_shown() -> None:
    full = (4_000, 2_000)
    runs = [
        run(side, full, seconds, round=number, epochs=3)
        for number, (script, own) in enumerate([(100, 10), (400, 20), (90, 10)])
        for side, seconds in (("trainer", script), (THAWLINE, own), (FILLED, own / 2))
    ]
    script, *_ = sorted(peers_report.lines(row(runs)), key=lambda line: line.side == "trainer")[
        ::-1
    ]
    assert script == ("trainer", 3, full, False, SCORE, 100, 10, 20)
    own = peers_report.lines(row(runs))[0]
    assert (own.side, own.seconds, own.ratio, own.ratio_filled) == (THAWLINE, 10, None, None)


def scripts_on_parts() -> dict[str, Any]:
    """A script with 5 s of start-up, 2 s per 1,000 trained tokens and 1 s per 1,000 others."""
    work = {
        "160,80": {"train": 4_000, "validation": 1_000, "test": 2_000},
        "80,40": {"train": 2_000, "validation": 500, "test": 1_000},
        "4000,2000": {"train": 100_000, "validation": 25_000, "test": 50_000},
    }
    runs = [
        run("trainer", rows, 5 + 24 * scale + 5 * scale,
            training_seconds=24 * scale, inference_seconds=5 * scale)
        for rows, scale in (((160, 80), 1), ((80, 40), 0.5))
    ]  # fmt: skip
    own = [
        run(THAWLINE, rows, seconds, epochs=3, training_seconds=seconds / 2)
        for rows, seconds in (((160, 80), 10), ((4_000, 2_000), 60))
    ]
    more = {"script_rows": [160, 80], "work": {"trainer": work}, "all_epochs": [1, 3]}
    return row([*runs, *own], **more)


def test_the_whole_job_of_a_script_is_computed_from_two_parts() -> None:
    found = {
        (line.side, line.epochs, line.rows): line for line in peers_report.lines(scripts_on_parts())
    }
    part, full = (160, 80), (4_000, 2_000)
    assert found["trainer", 3, part][3:] == (False, SCORE, 34, 3.4, None)
    # 5 s, 2 s for each 1,000 of 300,000 tokens and 1 s for each 1,000 of 125,000 tokens
    whole = found["trainer", 3, full]
    assert (whole.computed, whole.accuracy) == (True, None)
    assert whole.seconds == pytest.approx(730)
    assert whole.ratio == pytest.approx(730 / 60)
    assert found["trainer", 1, full].seconds == pytest.approx(5 + 200 + 75)
    # Two of three epochs, which take 20 of 60 s, are left out.
    assert found[THAWLINE, 1, full].seconds == pytest.approx(40)
    assert found[THAWLINE, 1, full].computed
    assert found[THAWLINE, 3, full][3:5] == (False, SCORE)


def test_an_exact_head_is_the_same_for_all_epochs() -> None:
    full = (4_000, 2_000)
    runs = [run(THAWLINE, full, 60, epochs=None, training_seconds=20)]
    (line,) = peers_report.lines(row(runs, all_epochs=[1, 3, 10]))
    assert (line.epochs, line.computed, line.seconds) == (None, False, 60)


def test_the_table_marks_what_was_computed_and_shows_what_did_not_run() -> None:
    failed = {"side": "autointent", "versions": {}, "error": "ModuleNotFoundError: a | b"}
    lines = peers_report.table([scripts_on_parts() | {"failed": [failed]}]).splitlines()
    assert not any("160 / 80" in line for line in lines)  # the part that the script ran on
    assert (
        "| `last:1` | 3 | Trainer, as usual | imdb 4,000 / 2,000 | – | ≈ 730 | 12.2 times | – |"
    ) in lines
    assert lines[-1].startswith("| `last:1` | – | AutoIntent, classic-light (autointent ")
    assert "ModuleNotFoundError: a \\| b" in lines[-1]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_a_row_with_the_same_key_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results" / "peers.json"
    peers.put(row([]), path)
    peers.put(row([], epochs=10), path)
    peers.put(row([run(THAWLINE, (4_000, 2_000), 1)]), path)
    assert [(one["epochs"], len(one["runs"])) for one in peers.read(path)] == [(3, 1), (10, 0)]


def test_the_table_is_written_between_the_comments_of_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, out = tmp_path / "page.md", tmp_path / "peers.json"
    peers.put(scripts_on_parts(), out)
    page.write_text("before\n<!-- peers -->\nold\n<!-- /peers -->\nafter\n", encoding="utf-8")
    for _ in range(2):
        peers.main(["--json", str(out), "--table", str(page)])
        text = peers_report.table([scripts_on_parts()])
        assert capsys.readouterr().out == f"{text}\n"
        assert page.read_text(encoding="utf-8") == (
            f"before\n<!-- peers -->\n\n{text}\n\n<!-- /peers -->\nafter\n"
        )
    page.write_text("no comments", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"page\.md"):
        peers.main(["--json", str(out), "--table", str(page)])


def test_the_command_of_a_row_has_no_paths_of_this_machine() -> None:
    words = ["--data", "/home/me/sets/imdb", "--python", "setfit=/home/me/other/bin/python"]
    found = peers.new_row(peers.parse(words), "head", words)
    assert shlex.split(found["command"])[3:] == ["--data", "imdb", "--python", "setfit=python"]
    assert found["data"] == "imdb"
    assert {"torch", "transformers", "accelerate"} <= set(found["versions"])
    assert found["hardware"]["cores"] >= 1
    assert json.loads(json.dumps(found)) == found


def test_the_first_line_of_an_error_is_kept_without_paths() -> None:
    stderr = "Traceback:\n  File x\nOSError: no file /home/me/sets/model.bin here\nwarning: bye\n"
    assert peers_runs.first_line(stderr) == "OSError: no file …/model.bin here"
    assert peers_runs.first_line("") == "no message"
    assert peers_runs.first_line("killed\n") == "killed"


@pytest.mark.e2e
def test_a_peer_that_is_not_installed_is_part_of_the_results(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_set(tmp_path / "films", {"train": toy_reviews(40), "test": toy_reviews(10, 1)})

    def thawline(options: Namespace, side: str, *rest: Any) -> dict[str, Any]:
        return {"process_seconds": 1.0, "accuracy": SCORE, "epochs": None, "line": 3}

    monkeypatch.setattr(peers, "run_thawline", thawline)
    out = tmp_path / "peers.json"
    words = ["--data", str(data), "--labels", "neg,pos", "--backbone", str(toy_backbone("bert"))]
    words += ["--train", "40", "--test", "10", "--peers", "autointent", "--json", str(out)]
    peers.main([*words, "--rounds", "2"])
    (found,) = peers.read(out)
    (failed,) = found["failed"]
    assert failed["side"] == "autointent"
    assert "autointent" in failed["error"]
    assert [one["side"] for one in found["runs"]] == [THAWLINE, FILLED] * 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("| `head` | – | AutoIntent")


@pytest.mark.parametrize("name", peers_runs.TRAINERS)
def test_trainer_predicts_the_test_rows_with_their_labels(
    name: str,
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
) -> None:
    data = write_set(tmp_path / "films", {"train": toy_reviews(120), "test": toy_reviews(40, 1)})
    peers_runs.write_rows(load(DataConfig(data=str(data))), tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    own = {"model": str(toy_backbone("bert")), "scratch": str(tmp_path / "out"), "classes": 2}
    options = parse("--epochs", "6", "--max-length", "32")
    job = peers_runs.job_of(options, name, "full") | own | {"lr": 3e-3}
    answer = peer_scripts.SCRIPTS[name](job, rows)
    assert np.mean(np.equal(answer["predictions"], answer["labels"])) > 0.8
    assert sorted(answer["labels"]) == sorted(rows["test"]["labels"])
    assert min(answer["training_seconds"], answer["inference_seconds"]) > 0
    assert answer["trainable"] > sum(p.numel() for p in _parameters(own["model"]))


def _parameters(folder: str) -> list[torch.nn.Parameter]:
    from transformers import AutoModel

    return list(AutoModel.from_pretrained(folder).parameters())


@pytest.mark.slow
def test_all_sides_run_on_real_reviews(tmp_path: Path) -> None:
    out = tmp_path / "peers.json"
    sizes = ["--train", "80", "--test", "40", "--script-rows", "60,30", "--max-length", "64"]
    peers.main(
        [*WORDS, *sizes, "--epochs", "1", "--peers", "trainer", "encode",
         "--strategies", "head", "--also-epochs", "3", "--json", str(out)]
    )  # fmt: skip
    (found,) = peers.read(out)
    assert found["failed"] == []
    by_side = {(line.side, line.epochs, line.rows[0]): line for line in peers_report.lines(found)}
    assert by_side["trainer", 3, 80].computed
    for side, epochs in ((THAWLINE, None), (FILLED, None), ("trainer", 1), ("encode", None)):
        score = by_side[side, epochs, 60].accuracy
        assert score is not None
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
    assert by_side[THAWLINE, None, 80].accuracy == by_side[FILLED, None, 80].accuracy


@pytest.mark.skipif(not peers.RESULTS.exists(), reason="no peers were measured yet")
def test_the_page_shows_the_results() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    for line in peers_report.table(peers.read(peers.RESULTS)).splitlines():
        assert line in page


def test_scripts_run_without_thawline() -> None:
    source = Path(peer_scripts.__file__).read_text(encoding="utf-8")
    assert not re.search(r"^\s*(?:import|from) (?:thawline|benchmarks)\b", source, re.MULTILINE)
    assert peers_runs.versions_of(parse(), "trainer").keys() >= {"transformers", "torch"}
    assert peers_runs.interpreter(parse("--python", "setfit=other"), "setfit") == "other"
    assert peers_runs.interpreter(parse("--python", "setfit=other"), "encode") == sys.executable
