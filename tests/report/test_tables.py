from __future__ import annotations

import pytest
from rich.console import Console
from rich.table import Table

from tests.support.records import fit_epoch, score, scores
from thawline.report.tables import (
    before_after_table,
    history_table,
    kept_line,
    per_class_table,
    rounded_up,
)
from thawline.runs.records import KeptEpoch


def printed(table: Table) -> list[str]:
    """Return the lines that a terminal of 80 columns without colour shows."""
    console = Console(width=80, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    return lines


BASELINE = scores(
    accuracy=score(0.5, 0.4781, 0.5219),
    f1_macro=score(0.3333, 0.3235, 0.3429),
    f1_weighted=score(0.3333, 0.3190, 0.3480),
    loss=score(0.6931, 0.6925, 0.6938),
    calibration_error=score(0.0123, 0.004, 0.03),
)
ADAPTED = scores(
    accuracy=score(0.8535, 0.8373, 0.8683),
    f1_macro=score(0.8532, 0.8375, 0.8685),
    f1_weighted=score(0.8533, 0.8376, 0.8686),
    loss=score(0.3512, 0.3302, 0.3733),
    calibration_error=score(0.0246, 0.0182, 0.0401),
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_before_after_prints_shares_in_per_cent_with_intervals_and_change():
    head, rule, *rows = printed(before_after_table(BASELINE, ADAPTED))
    assert cells(head) == ["score", "untrained", "adapted", "change"]
    assert set(rule) == {"─"}
    assert [" ".join(row.split()) for row in rows] == [
        "accuracy 50.0 % (47.8 to 52.2) 85.4 % (83.7 to 86.8) +35.4 points",
        "macro F1 33.3 % (32.4 to 34.3) 85.3 % (83.8 to 86.9) +52.0 points",
        "weighted F1 33.3 % (31.9 to 34.8) 85.3 % (83.8 to 86.9) +52.0 points",
        "loss 0.693 (0.693 to 0.694) 0.351 (0.330 to 0.373) -0.342",
        "calibration error 1.2 % (0.4 to 3.0) 2.5 % (1.8 to 4.0) +1.2 points",
    ]


def test_before_after_keeps_one_line_a_score_at_a_perfect_score():
    perfect = ADAPTED.model_copy(update={"accuracy": score(1.0, 0.9981, 1.0)})
    rows = printed(before_after_table(BASELINE, perfect))[2:]
    assert len(rows) == 5
    assert "100.0 % (99.8 to 100.0)  +50.0 points" in rows[0]


def test_no_change_has_no_minus():
    close = {"accuracy": score(0.5 - 1e-9), "loss": score(0.6931 - 1e-9)}
    nearly = BASELINE.model_copy(update=close)
    rows = printed(before_after_table(BASELINE, nearly))[2:]
    assert rows[0].endswith("+0.0 points")
    assert rows[3].endswith("+0.000")


def test_history_prints_each_epoch():
    history = [
        fit_epoch(0, validation_accuracy=0.5, validation_loss=0.6931),
        fit_epoch(1, validation_accuracy=0.8512, validation_loss=0.37, train_loss=None),
        fit_epoch(12, train_loss=0.2),
    ]
    above, head, _, *rows = printed(history_table(history))
    assert cells(above) == ["train", "validation", "validation", "validation"]
    assert cells(head) == ["epoch", "loss", "loss", "accuracy", "macro F1"]
    assert [cells(row) for row in rows] == [
        ["0 (untrained)", "-", "0.693", "50.0 %", "70.0 %"],
        ["1", "-", "0.370", "85.1 %", "70.0 %"],
        ["12", "0.200", "0.500", "75.0 %", "70.0 %"],
    ]


def test_history_within_epochs_has_steps_macro_f1_and_the_kept_row():
    history = [
        fit_epoch(
            epoch,
            step=1_234 * number,
            train_loss=0.61,
            validation_loss=0.6,
            validation_accuracy=0.7,
            validation_f1_macro=f1,
            kept=number == 2,
        )
        for number, (epoch, f1) in enumerate([(0, 0.5), (1 / 3, 0.6), (10.5, 0.7), (11, 0.8)])
    ]
    above, head, _, *rows = printed(history_table(history))
    assert cells(above) == ["train", "validation", "validation", "validation"]
    assert cells(head) == ["epoch", "step", "loss", "loss", "accuracy", "macro F1"]
    assert [cells(row) for row in rows] == [
        ["0 (untrained)", "0", "0.610", "0.600", "70.0 %", "50.0 %"],
        ["0.33", "1,234", "0.610", "0.600", "70.0 %", "60.0 %"],
        ["10.5", "2,468", "0.610", "0.600", "70.0 %", "70.0 %", "kept"],
        ["11", "3,702", "0.610", "0.600", "70.0 %", "80.0 %"],
    ]


def test_the_kept_epoch_and_early_stopping_are_described():
    kept = KeptEpoch(epoch=1.5, step=30, by="f1_macro", last=3, epochs=3)
    assert kept_line(kept, []).startswith("epoch 1.5 ")
    assert "macro F1" in kept_line(kept, [])
    assert "early" not in kept_line(kept, [])
    early = kept.model_copy(update={"epoch": 10, "by": "loss", "last": 12.25, "epochs": 20})
    assert kept_line(early, []).startswith("epoch 10 ")
    assert "loss" in kept_line(early, [])
    assert "early" in kept_line(early, [])
    assert "12.25 of 20 epochs" in kept_line(early, [])
    assert "accuracy" in kept_line(kept.model_copy(update={"by": "accuracy"}), [])


@pytest.mark.parametrize("by", ["accuracy", "f1_macro", "loss"])
def test_a_tie_of_epochs_is_not_described_as_a_single_best_epoch(by):
    kept = KeptEpoch(epoch=3, step=15, by=by, last=3, epochs=3)
    name = f"validation_{by}"
    alone, tie = (
        [fit_epoch(1, **{name: 0.1}), fit_epoch(2, **{name: other}), fit_epoch(3, **{name: 0.8})]
        for other in (0.2, 0.8)
    )
    assert kept_line(kept, alone) == kept_line(kept, [])
    assert kept_line(kept, tie) != kept_line(kept, alone)
    last = kept.model_copy(update={"by": "last"})
    assert kept_line(last, tie) == kept_line(last, alone)


PER_CLASS = scores(
    per_class=[
        {"precision": 0.8512, "recall": 0.9, "f1": 0.8749, "support": 12_500},
        {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 3},
        {"precision": None, "recall": None, "f1": None, "support": 0},
    ]
)


def test_per_class_prints_names_as_they_are():
    head, _, *rows = printed(per_class_table(PER_CLASS, ["[bold]neg[/bold]", "pos", "mixed"]))
    assert cells(head) == ["class", "precision", "recall", "F1", "rows"]
    assert [cells(row) for row in rows] == [
        ["[bold]neg[/bold]", "85.1 %", "90.0 %", "87.5 %", "12,500"],
        ["pos", "0.0 %", "0.0 %", "0.0 %", "3"],
        ["mixed", "-", "-", "-", "0"],
    ]


def test_per_class_folds_long_names_and_keeps_their_letters():
    name = "y" * 200
    lines = printed(per_class_table(PER_CLASS, [name, "pos", "mixed"]))
    assert sum(line.count("y") for line in lines) == 200
    assert "85.1 %" in lines[2]


def test_per_class_of_many_classes_lists_those_with_the_lowest_f1_in_their_order():
    f1s = [0.9, 0.2, None, 0.5, 0.1]
    found = scores(
        per_class=[{"precision": f1, "recall": f1, "f1": f1, "support": 5} for f1 in f1s]
    )
    names = ["a", "b", "c", "d", "e"]
    _, _, *rows = printed(per_class_table(found, names, 3))
    assert [cells(row)[0] for row in rows] == ["b", "d", "e"]
    _, _, *rows = printed(per_class_table(found, names, 4))
    assert [cells(row)[0] for row in rows] == ["a", "b", "d", "e"]
    assert len(printed(per_class_table(found, names, 5))) == 2 + 5


def test_per_class_needs_a_name_for_each_class():
    with pytest.raises(ValueError, match="3 classes need as many names, not 2"):
        per_class_table(PER_CLASS, ["neg", "pos"])


@pytest.mark.parametrize(
    ("number", "wanted"),
    [(1, 1), (99, 99), (100, 100), (101, 110), (3_512, 3_600), (9_999, 10_000)],
)
def test_an_estimate_is_rounded_up_to_two_digits(number, wanted):
    assert rounded_up(number) == wanted
