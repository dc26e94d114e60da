"""The transfer benchmark: its fits, their order, its results, its table and its pictures."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import transfer, transfer_report
from benchmarks.transfer import Cell
from benchmarks.transfer_report import Group
from tests.support.command_line import ProverHere, thawline, write_set

WORDS = [
    "runs/news",
    "--rows",
    "1000",
    "all",
    "100",
    "--epochs",
    "9",
    "3",
    "20",
    "--seeds",
    "0",
    "7",
]
SMALL = [*WORDS[:1], "--rows", "100", "all", "--epochs", "2", "--seeds", "0", "1"]


def result(
    accuracy: float, system: str = "full", rows: int = 100, epochs: int = 2
) -> dict[str, Any]:
    history = [
        {"epoch": epoch, "validation_accuracy": accuracy - 0.1 * (epochs - epoch)}
        for epoch in range(epochs + 1)
    ]
    score = {"value": accuracy, "low": accuracy - 0.04, "high": accuracy + 0.02}
    return {
        "command": "",
        "process_seconds": 9.0,
        "rows": {"train": 9 * rows // 10, "validation": rows // 10, "test": 50},
        "record": {
            "test": {"accuracy": score},
            "seconds": {"total": 1_234.4},
            "parameters": {"trainable": 25_538},
            "history": [] if system == "exact" else history,
        },
    }  # fmt: skip


@pytest.fixture
def fake_fits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace every fit by a fixed result, and return the commands in their order."""
    commands: list[str] = []

    def fit(words: list[str], out: Path | None, options: object) -> dict[str, Any]:
        written = shlex.join(["thawline", *words])
        commands.append(written)
        if "--seed 1" in written and "--strategy head" in written:
            raise RuntimeError("error: the disk is full")
        return result(0.8 if out is None else 0.9) | {"command": written}

    monkeypatch.setattr(transfer, "fit", fit)
    return commands


def test_the_most_rows_come_first_and_each_size_has_its_epochs() -> None:
    every = transfer.cells(transfer.parse(WORDS))
    assert len(every) == 3 * (2 * 5 - 1)  # the exact fit does not depend on the seed
    sizes = list(dict.fromkeys((cell.rows, cell.epochs) for cell in every))
    assert sizes == [("all", 3), ("1000", 9), ("100", 20)]
    assert [cell.system for cell in every[:5]] == list(transfer.SYSTEMS)
    assert {cell.seed for cell in every} == {0, 7}
    same = transfer.cells(transfer.parse([*SMALL[:4], "--epochs", "4"]))
    assert {cell.epochs for cell in same} == {4}


def test_epochs_need_one_number_or_one_for_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        transfer.parse(["runs/news", "--rows", "1", "2", "3", "--epochs", "1", "2"])
    *_, error = capsys.readouterr().err.splitlines()
    assert "--epochs" in error
    assert "--rows" in error


@pytest.mark.parametrize(
    ("system", "own"),
    [
        ("random", "--backbone glove --vectors random --strategy full --epochs 3"),
        ("glove", "--backbone glove --strategy full --epochs 3"),
        ("full", "--backbone runs/news --strategy full --epochs 3"),
        ("head", "--backbone runs/news --strategy head --epochs 3"),
        ("exact", "--backbone runs/news --strategy head"),
    ],
)
def test_each_system_has_its_command(system: str, own: str) -> None:
    options = transfer.parse(
        [*WORDS, "--device", "cuda", "--batch-size", "64", "--set", "training.clip=1.0",
         "--more", "glove=--lr 2e-3", "--more", "exact=--features last"]
    )  # fmt: skip
    more = {"glove": " --lr 2e-3", "exact": " --features last"}.get(system, "")
    batch = "" if system == "exact" else " --batch-size 64"
    common = f"--device cuda --dtype auto{batch} --set training.clip=1.0"
    whole = shlex.join(transfer.command(Cell("all", 3, system, 7), options))
    assert whole == f"fit --data imdb --seed 7 {own} {common}{more}"
    some = shlex.join(transfer.command(Cell("5000", 3, system, 7), options))
    assert some == whole.replace("imdb", "imdb --limit 5000,25000")


def test_with_few_validation_rows_the_last_epoch_is_kept() -> None:
    options = transfer.parse(WORDS)
    kept = {
        rows: "training.keep=last" in transfer.command(Cell(rows, 3, "full", 0), options)
        for rows in ("100", "999", "1000", "all")
    }
    assert kept == {"100": True, "999": True, "1000": False, "all": False}


def test_the_source_is_trained_like_the_system_glove() -> None:
    options = transfer.parse([*WORDS, "--source-rows", "all", "--more", "glove=--lr 2e-3"])
    assert shlex.join(transfer.source_command(options)) == (
        "fit --data ag_news --backbone glove --strategy full --epochs 3 "
        "--device auto --dtype auto --batch-size 16 --lr 2e-3"
    )
    assert "--limit 60000,7600" in shlex.join(transfer.source_command(transfer.parse(WORDS)))


def test_a_second_run_computes_only_what_is_missing(
    fake_fits: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "transfer.json"
    words = [*SMALL, "--jobs", "3", "--json", str(out)]
    with pytest.raises(SystemExit) as leaving:
        transfer.main(words)
    failures = str(leaving.value).splitlines()
    assert len(failures) == 2  # the final layer with seed 1, with both numbers of rows
    assert failures[0].endswith("seed 1: error: the disk is full")
    whole = json.loads(out.read_text(encoding="utf-8"))
    assert len(whole["results"]) == 1 + 2 * (2 * 5 - 1) - 2
    assert whole["config"]["seeds"] == [0, 1]
    assert {"created", "hardware", "versions"} <= set(whole)
    assert len({one["command"] for one in whole["results"]}) == len(whole["results"])
    source = fake_fits.index(
        shlex.join(["thawline", *transfer.source_command(transfer.parse(words))])
    )
    waiting = [place for place, one in enumerate(fake_fits) if "--backbone runs/news" in one]
    assert source < min(waiting)
    printed = capsys.readouterr()
    assert "the source: 0.9000 in 9 s" in printed.err
    assert "from scratch, GloVe, all rows, seed 1: 0.8000 in 9 s" in printed.err

    fake_fits.clear()
    with pytest.raises(SystemExit):
        transfer.main(words)
    assert len(fake_fits) == 1 + 2  # the source, which is finished, and the two that failed
    assert len(json.loads(out.read_text(encoding="utf-8"))["results"]) == 17


def test_without_its_source_the_systems_from_scratch_are_measured(
    fake_fits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(options: object) -> dict[str, Any]:
        raise RuntimeError("error: no news")

    monkeypatch.setattr(transfer, "run_source", fail)
    with pytest.raises(SystemExit, match=r"^the source: error: no news$"):
        transfer.main(SMALL)
    assert len(fake_fits) == 2 * 2 * 2
    fake_fits.clear()
    transfer.main([*SMALL, "--systems", "random", "glove"])
    assert len(fake_fits) == 2 * 2 * 2


GROUPS = [
    Group("100", "from scratch", [result(0.6), result(0.64), result(0.62)]),
    Group("100", "transferred", [result(0.7)]),
    Group("1000", "from scratch", [result(0.75, rows=1_000)] * 2),
    Group("all", "transferred", [result(0.85, "exact", 2_000)]),
]


def test_the_table_holds_means_spread_and_intervals() -> None:
    assert transfer_report.table(GROUPS).splitlines()[2:] == [
        "| 100 | from scratch | 3 | 62.0 % ± 2.0 | 57.0 to 67.0 | 1,234 | 25,538 |",
        "| 100 | transferred | 1 | 70.0 % | 66.0 to 72.0 | 1,234 | 25,538 |",
        "| 1,000 | from scratch | 2 | 75.0 % ± 0.0 | 75.0 to 75.0 | 1,234 | 25,538 |",
        "| all | transferred | 1 | 85.0 % | 81.0 to 87.0 | 1,234 | 25,538 |",
    ]


def test_an_interval_stays_between_0_and_1() -> None:
    assert transfer_report.interval([result(0.5), result(0.9)]) == (0.0, 1.0)


def test_curves_show_the_most_rows_and_the_other_picture_shows_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def draw_lines(lines: list[Any], folder: Path, name: str, **how: Any) -> list[Path]:
        drawn[name] = lines, how
        return [folder / name]

    monkeypatch.setattr(transfer_report, "draw_lines", draw_lines)
    transfer_report.draw(GROUPS[:3], tmp_path, name="imdb")
    (curve,), how = drawn["transfer_curves"]
    assert (curve.name, curve.x) == ("from scratch", [0, 1, 2])
    assert curve.values == pytest.approx([0.55, 0.65, 0.75])
    assert {"1,000", "2"} <= set(how["subtitle"].split())
    (scratch, transferred), how = drawn["transfer_rows"]
    assert (scratch.x, transferred.x) == ([100, 1_000], [100])
    assert scratch.values == pytest.approx([0.62, 0.75])
    assert (scratch.low[0], scratch.high[0]) == (0.6, 0.64)
    assert how["logarithmic"]
    assert "3" in how["subtitle"].split()


def test_no_curve_of_an_exact_fit_and_no_picture_of_one_size(tmp_path: Path) -> None:
    assert transfer_report.draw(GROUPS[3:], tmp_path, name="imdb") == []


def test_systems_are_compared_after_the_source_is_trained(
    toy_backbone: Callable[..., Path],
    toy_reviews: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run_here(command: list[str], env: dict[str, str], **how: Any) -> Any:
        assert command[1:3] == ["-m", "thawline"]
        monkeypatch.setenv("THAWLINE_HOME", env["THAWLINE_HOME"])
        done = thawline(*command[3:])
        return subprocess.CompletedProcess(command, done.code, done.out, done.err)

    monkeypatch.setattr(transfer.subprocess, "run", run_here)
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    monkeypatch.setattr("thawline.jobs.fit._draw", lambda *found: [])
    films = {"train": toy_reviews(60), "test": toy_reviews(20, 1)}
    topics = {name: (texts, [row % 4 for row in labels]) for name, (texts, labels) in films.items()}
    out, toy = tmp_path / "transfer.json", str(toy_backbone())
    transfer.main(
        ["news", "--data", str(write_set(tmp_path / "films", films)), "--labels", "neg,pos",
         "--rows", "24", "all", "--test-rows", "20", "--epochs", "1", "--seeds", "3",
         "--random", toy, "--glove", toy, "--source-epochs", "1", "--source-rows", "all",
         "--source-data", str(write_set(tmp_path / "topics", topics)),
         "--batch-size", "8", "--dtype", "float32", "--device", "cpu",
         "--systems", "glove", "exact", "--json", str(out),
         "--plot", str(tmp_path / "plots")]
    )  # fmt: skip
    source, *results = json.loads(out.read_text(encoding="utf-8"))["results"]
    assert source["system"] == "source"
    assert json.loads(Path("news/record.json").read_text())["status"] == "finished"
    assert {(one["system"], one["train_rows"], one["seed"]) for one in results} == {
        (system, rows, 3) for system in ("glove", "exact") for rows in ("24", "all")
    }
    for one in results:
        assert one["rows"]["test"] == 20
        assert len(one["record"]["history"]) == (0 if one["system"] == "exact" else 2)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2 + 4
    assert printed[2].startswith("| 24 | from scratch, GloVe | ")
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == [
        "transfer_curves.png", "transfer_curves.svg", "transfer_rows.png", "transfer_rows.svg",
    ]  # fmt: skip


def test_the_page_shows_the_results_of_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    page = (root / "docs" / "transfer.md").read_text(encoding="utf-8")
    blocks = [block for block in page.split("```") if "-m benchmarks.transfer" in block]
    assert len(blocks) == 2  # all systems, and one with twice as many tokens
    for block, systems in zip(blocks, (transfer.SYSTEMS, ["glove"]), strict=True):
        words = shlex.split(block.replace("\\\n", " "))
        options = transfer.parse(words[words.index("benchmarks.transfer") + 1 :])
        groups = transfer.grouped(options, transfer.Results(options))
        assert {group.system for group in groups} == {transfer.SYSTEMS[one] for one in systems}
        for line in transfer_report.table(groups).splitlines():
            assert line in page
