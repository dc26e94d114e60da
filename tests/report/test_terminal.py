from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.records import (
    FIT,
    fit_epoch,
    fit_record,
    ladder_record,
    rung_record,
    scores,
)
from thawline.config import ReportConfig
from thawline.inference.prediction import TextPrediction
from thawline.report import terminal
from thawline.runs.records import (
    CHOSEN_LATER,
    BackboneOrigin,
    EvaluationReport,
    InfoReport,
    KeptEpoch,
    OperationsSummary,
    Parameters,
    StageSummary,
)
from thawline.store import StoredEntry

SHOWN = ReportConfig(classes=2, shown_mistakes=1)
STAGES = [
    StageSummary(stage=0, name="embeddings", parameters=1_234, trainable=0),
    StageSummary(stage=1, name="block 1", parameters=56, trainable=56),
]
INFO = InfoReport(
    backbone="toy[1]",
    origin=None,
    family="bert",
    hidden_size=32,
    max_length=40,
    strategy="last:1",
    line=1,
    head="native",
    pooling="first",
    features=[1],
    stages=STAGES,
    parameters=Parameters(trainable=122, frozen=1_234, total=1_356),
    operations=OperationsSummary(tokens=40, prefix=0.0, training=1.25e9),
)
ENTRY = StoredEntry(
    entry="0123456789abcdef",
    name="minilm",
    backbone="abc",
    max_length=512,
    truncation_side="right",
    dtype="bfloat16",
    format=3,
    line=None,
    stage=None,
    texts=6_000,
    bytes=96_900_000,
    problem=None,
)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def paragraph(out: str, label: str) -> str:
    """Return the text beside a label, without line breaks."""
    assert all(len(line) <= 80 for line in out.splitlines())
    lines = iter(out.splitlines())
    first = next(line for line in lines if line.startswith(f"{label} "))
    more = itertools.takewhile(lambda line: line.startswith(" " * 10), lines)
    return " ".join(" ".join([first.removeprefix(label), *more]).split())


@pytest.mark.parametrize(
    ("line", "texts", "read"),
    [(6, 12_000, "two"), (1, 6_000, "once"), (0, 6_000, "once"), (6, 0, "store")],
)
def test_a_head_that_was_fitted_first_has_its_seconds_and_its_row(capsys, line, texts, read):
    record = fit_record(
        line=line,
        prefix=FIT["prefix"] | {"texts": texts},
        history=[fit_epoch(0), fit_epoch(1, kept=True)],
        kept=KeptEpoch(epoch=1, step=5, by="accuracy", last=1, epochs=1),
        seconds=FIT["seconds"] | {"head_first": 1.25},
        head_first={"choice": [], "history": [], "store": None},
    )
    terminal.print_fit(record, SHOWN)
    out = capsys.readouterr().out
    seconds = paragraph(out, "seconds")
    parts = ("tokenising 1.0", "prefix 20.2", "head first 1.2", "training 2.0", "evaluation 0.5")
    assert all(part in seconds for part in (*parts, "other 5.0"))
    (prefix,) = re.findall(r"prefix 20\.2 \((.*?)\)", seconds)
    assert read in prefix
    assert f"{texts:,}" in prefix or not texts
    assert "0 (head fitted) " in out
    assert "0 (untrained)" not in out


def test_a_fit_shows_scores_costs_and_places(capsys):
    terminal.print_fit(fit_record(), SHOWN)
    out = capsys.readouterr().out
    for line in (
        "strategy  head, thaw line 7",
        "trained   770 of 22,713,986 parameters",
        "artifact  /runs/a run/model",
        "plots     before_after (PNG and SVG) in /runs/a run",
        """next      thawline predict '/runs/a run' "a text of your own\"""",
    ):
        assert line in out.splitlines()
    header = out.splitlines()[1]
    assert header.startswith("[reviews]")
    assert all(datum in header for datum in ("1,500", "95 %"))
    for label, data in {
        "head": ["linear", "pooling mean", "stage 4"],
        "seconds": ["30.0", "tokenising 1.0", "prefix 20.2 (6,000", "training 2.0", "other 6.2"],
        "memory": ["912 MB"],
        "speed": ["prefix 20.2 s, 10 %"],
        "proof": ["16 texts", "difference 0)"],
    }.items():
        assert all(datum in paragraph(out, label) for datum in data), label
    (accuracy,) = [line.split() for line in out.splitlines() if line.startswith("accuracy")]
    assert " ".join(accuracy[1:]) == "50.0 % (45.0 to 55.0) 80.0 % (75.0 to 85.0) +30.0 points"
    assert "epoch" not in out


SUFFIX = {"operations": 3e10, "flops_per_second": 1.5e10, "share_of_matrix_rate": 0.15}
NO_PASS = {"texts": 0, "flops_per_second": None, "share_of_matrix_rate": None}


@pytest.mark.parametrize(
    ("prefix", "suffix", "shown"),
    [
        ({}, SUFFIX, ["prefix 20.2 s, 10 %", "training 2.0 s, 15 %"]),
        (NO_PASS | {"from_store": 6_000}, SUFFIX, ["store", "training 2.0 s, 15 %"]),
        (NO_PASS | {"from_store": 0}, SUFFIX, ["training 2.0 s, 15 %"]),
        (NO_PASS | {"from_store": 6_000}, None, ["store"]),
        ({"share_of_matrix_rate": 0.001}, None, ["less than 1 %"]),
    ],
)
def test_the_share_of_the_matrix_rate_is_shown_for_the_parts_that_ran(
    capsys, prefix, suffix, shown
):
    terminal.print_fit(fit_record(prefix=FIT["prefix"] | prefix, suffix=suffix), SHOWN)
    parts = paragraph(capsys.readouterr().out, "speed").split("; ")
    assert len(parts) == len(shown)
    assert all(text in part for text, part in zip(shown, parts, strict=True))


def test_a_fit_without_a_pass_or_blocks_shows_no_share(capsys):
    terminal.print_fit(fit_record(prefix=FIT["prefix"] | NO_PASS | {"from_store": 0}), SHOWN)
    out = capsys.readouterr().out
    assert not [line for line in out.splitlines() if line.startswith("speed")]
    assert "store" not in paragraph(out, "seconds")


def test_a_fit_shows_classes_samples_and_mistakes_after_the_scores(capsys):
    terminal.print_fit(fit_record(), SHOWN)
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    places = [
        rows.index(row)
        for row in (
            "class precision recall F1 rows",
            "[neg] 81.0 % 79.0 % 80.0 % 700",
            "a [warm] film pos [neg] 51.0 % pos 97.0 %",
            "pos [neg] 99.0 % 600 (truncated) so good",
            "strategy head, thaw line 7",
        )
    ]
    assert places == sorted(places)
    assert "another" not in out
    assert "higher F1" not in out


def test_of_many_classes_the_weakest_are_shown_and_the_others_counted(capsys):
    classes = [one.to_dict() for one in scores().per_class]
    classes[1]["f1"] = 0.7
    few = replace(SHOWN, classes=1)
    terminal.print_fit(fit_record(test=scores(per_class=classes)), few)
    out = capsys.readouterr().out
    assert "pos       79.0 %  81.0 %  70.0 %   800" in out
    assert "81.0 %  79.0 %" not in out
    assert "and 1 with a higher F1" in out


@pytest.mark.parametrize("name", ["adapters", "backbone"])
def test_a_fit_says_which_parameters_were_trained(capsys, name):
    trained = {"trainable": 2_146, "trained": {name: 1_024, "head": 1_122}}
    terminal.print_fit(fit_record(parameters=FIT["parameters"] | trained), SHOWN)
    line = f"trained   2,146 ({name} 1,024, head 1,122) of 22,713,986 parameters"
    assert line in capsys.readouterr().out.splitlines()


def test_a_fit_from_the_store_and_by_epochs_says_so(capsys):
    record = fit_record(
        prefix=FIT["prefix"] | {"texts": 0},
        features=[0, 1, 2],
        proof={"texts": 16, "difference": 3.21e-7},
        history=[fit_epoch(0, validation_accuracy=0.5), fit_epoch(1, kept=True)],
        kept=KeptEpoch(epoch=1, step=9, by="accuracy", last=1, epochs=4),
    )
    terminal.print_fit(record, SHOWN)
    out = capsys.readouterr().out
    assert "store" in paragraph(out, "seconds")
    assert "stages 0, 1, 2" in paragraph(out, "head")
    assert "3.2e-07" in paragraph(out, "proof")
    assert "0 (untrained)" in out
    assert any(line.startswith("epoch 1 ") for line in out.splitlines())
    assert "1 of 4 epochs" in out
    assert "75.0 %" in out


@pytest.mark.parametrize(
    ("split", "source"), [("test", "test"), ("validation", "train"), ("all", "train+test")]
)
def test_an_evaluation_shows_all_scores_and_each_class(capsys, split, source):
    names = ["[odd]", "pos"]
    seconds = {"tokenising": 0.1, "prefix": 0.2, "total": 0.5}
    report = EvaluationReport(
        **dict(scores()), split=split, source=source, labels=names, seconds=seconds
    )
    terminal.print_evaluation(report)
    out = capsys.readouterr().out
    header = out.splitlines()[1]
    assert all(datum in header for datum in ("1,500", split, source, "95 %"))
    assert ("rows of" in header) == (split != source)
    for name in ("accuracy", "macro F1", "weighted F1", "macro precision", "macro recall"):
        assert f"{name} " in out
    assert "0.400 (0.350 to 0.450)" in out
    assert "6.0 % (1.0 to 11.0)" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == names


def test_predictions_are_one_line_each_with_the_text_as_it_is(capsys):
    long = "word " * 60
    predictions = [
        TextPrediction("[b]a\nfilm[/b] :cat:", "pos", {"neg": 0.25, "pos": 0.75}),
        TextPrediction(long, "[odd]", {"[odd]": 0.5, "b": 0.5}),
        TextPrediction(("one", "other"), "b", {"[odd]": 0.125, "b": 0.875}),
    ]
    terminal.print_predictions(predictions)
    assert capsys.readouterr().out.splitlines() == [
        "pos (0.750)  neg_prob 0.2500  pos_prob 0.7500  [b]a film[/b] :cat:",
        f"[odd] (0.500)  {long.strip()}",
        "b (0.875)  one | other",
    ]


def test_info_shows_what_is_frozen_and_what_trains(capsys):
    terminal.print_info(INFO)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    first, *others = lines
    assert first.startswith("toy[1]: ")
    assert all(datum in first for datum in ("bert", "32", "40 tokens"))
    assert others == [
        "stage  part        parameters",
        "0      embeddings       1,234  frozen",
        "1      block 1             56  56 trained",
        "strategy   last:1, thaw line 1",
        "head       native, pooling first, features of stage 1",
        "trainable  122 parameters",
        "frozen     1,234 parameters",
        "total      1,356 parameters",
        "operations 1.25 GFLOP in each epoch (40 tokens)",
    ]


def test_info_shows_features_that_are_chosen_later_and_several_stages(capsys):
    terminal.print_info(INFO.model_copy(update={"features": CHOSEN_LATER}))
    assert CHOSEN_LATER in capsys.readouterr().out
    terminal.print_info(INFO.model_copy(update={"features": [0, 1]}))
    assert "stages 0, 1" in capsys.readouterr().out


def test_info_names_the_classifier_that_the_backbone_is_taken_from(capsys):
    origin = BackboneOrigin(folder="run", strategy="full", backbone="toy", labels=["a", "[b]"])
    terminal.print_info(INFO.model_copy(update={"origin": origin}))
    lines, _, _ = capsys.readouterr().out.partition("stage ")
    assert all(datum in lines for datum in ("2 classes", "[b]", "full", "toy"))


@pytest.mark.parametrize("refit", [None, "refit-head-seed-0"])
def test_the_run_on_all_rows_is_the_one_to_use_if_there_is_one(capsys, refit):
    record = ladder_record([rung_record("tfidf"), rung_record("head")], refit=refit)
    terminal.print_comparison(record, Path("out"))
    used = re.search(r"thawline predict (\S+)", capsys.readouterr().out)
    assert used is not None
    assert Path(used[1]) == Path("out", refit or record.chosen.run)


def test_the_store_is_one_line_per_entry(capsys):
    left = replace(ENTRY, line=6, bytes=1_280_000_000, truncation_side="left")
    terminal.print_store([ENTRY, left], Path("home"))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        f"store in {Path('home/store')}",
        "backbone states tokens dtype texts MB entry",
        "minilm pooled first 512 bfloat16 6,000 96.9 01234567",
        "minilm line 6 last 512 bfloat16 6,000 1,280.0 01234567",
    ]


def test_a_damaged_entry_has_no_length(capsys):
    unknown = {"max_length": None, "truncation_side": None, "dtype": None, "texts": 0}
    damaged = replace(ENTRY, **unknown, name="(damaged)", problem="no manifest")
    terminal.print_store([damaged], Path("home"))
    _, _, row, problem = capsys.readouterr().out.splitlines()
    assert row.split()[:3] == ["(damaged)", "-", "-"]
    assert problem == "01234567: no manifest"


def test_a_long_backbone_s_path_is_folded_not_cut(capsys):
    path = "/a/" + "very/" * 20 + "[long]/path"
    terminal.print_store([replace(ENTRY, name=path)], Path("home"))
    lines = capsys.readouterr().out.splitlines()[2:]
    assert "".join(line.split()[0] for line in lines) == path
    assert "01234567" in lines[0]
    assert "bfloat16" in lines[0]


def test_an_empty_store_says_so(capsys):
    terminal.print_store([], Path("home"))
    first, second = capsys.readouterr().out.splitlines()
    assert str(Path("home/store")) in first
    assert "empty" in second
