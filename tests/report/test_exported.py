"""The lines that `thawline export` prints."""

from __future__ import annotations

from thawline.report.exported import export_lines
from thawline.runs.records import ExportedAccuracy, ExportedSeconds, ExportReport


def report(*, int8: float | None, accuracy: ExportedAccuracy | None = None) -> ExportReport:
    return ExportReport(
        folder="out",
        to="onnx",
        precision="float32" if int8 is None else "int8",
        bytes=12_345_678,
        texts=32,
        texts_from="the test rows of the run",
        logit_difference=3e-6,
        difference=0.0125,
        accuracy=accuracy,
        seconds=ExportedSeconds(tokens=71, run=0.02, float32=0.015, int8=int8, threads=2),
    )


def test_a_format_that_is_slower_is_named() -> None:
    fast, slow = export_lines(report(int8=0.01)), export_lines(report(int8=0.018))
    assert len(slow) == len(fast) + 1
    assert "int8" in slow[-1]
    assert "ONNX" in slow[-1]
    assert "torch" not in slow[-1]


def test_the_length_of_the_timed_text_is_shown() -> None:
    (line,) = [line for line in export_lines(report(int8=0.01)) if "10.0 ms" in line]
    assert "71 tokens" in line


def test_the_accuracy_is_shown_with_its_interval_and_its_rows() -> None:
    accuracy = ExportedAccuracy(
        rows=2_000,
        of=25_000,
        run=0.85,
        export=0.845,
        difference=-0.005,
        low=-0.009,
        high=-0.001,
        confidence=0.95,
    )
    (line,) = set(export_lines(report(int8=0.01, accuracy=accuracy))) - set(
        export_lines(report(int8=0.01))
    )
    for part in ("84.50 %", "85.00 %", "2,000 of 25,000", "-0.50", "-0.90", "-0.10", "95 %"):
        assert part in line
