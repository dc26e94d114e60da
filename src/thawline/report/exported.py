"""What `thawline export` wrote and measured, as lines of text."""

from __future__ import annotations

from thawline.runs.records import ExportedAccuracy, ExportedSeconds, ExportReport


def export_lines(report: ExportReport) -> list[str]:
    """Return lines that describe an export."""
    lines = [
        f"{report.folder}: {report.bytes / 1e6:,.1f} MB, {report.to} in {report.precision}",
        f"compared   {report.texts} texts ({report.texts_from}): in float32 the logits differ by "
        f"at most {report.logit_difference:.1e}",
    ]
    if report.precision == "int8":
        lines.append(f"int8       probabilities differ by at most {report.difference:.3f}")
    if report.accuracy is not None:
        lines.append(_accuracy_line(report.accuracy))
    if report.seconds is not None:
        lines += _seconds_lines(report.seconds)
    return lines


def _accuracy_line(accuracy: ExportedAccuracy) -> str:
    rows = f"{accuracy.rows:,} test rows"
    if accuracy.rows < accuracy.of:
        rows = f"{accuracy.rows:,} of {accuracy.of:,} test rows"
    points, low, high = (
        100 * value for value in (accuracy.difference, accuracy.low, accuracy.high)
    )
    return (
        f"accuracy   {100 * accuracy.export:.2f} % on {rows}, {points:+.2f} points compared with "
        f"the run's {100 * accuracy.run:.2f} % "
        f"({100 * accuracy.confidence:.0f} % interval {low:+.2f} to {high:+.2f})"
    )


def _seconds_lines(seconds: ExportedSeconds) -> list[str]:
    times = {"torch": seconds.run, "ONNX": seconds.float32, "int8": seconds.int8}
    known = {name: value for name, value in times.items() if value is not None}
    shown = ", ".join(f"{name} {1000 * value:.1f} ms" for name, value in known.items())
    threads = "1 thread" if seconds.threads == 1 else f"{seconds.threads} threads"
    lines = [f"one text   {shown} (median, {seconds.tokens} tokens, {threads})"]
    *others, (name, last) = known.items()
    slower = [other for other, value in others if value < last]
    if slower:
        lines.append(f"warning    on this machine {name} is slower than {' and '.join(slower)}")
    return lines
