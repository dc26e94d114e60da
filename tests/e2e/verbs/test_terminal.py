"""What the verbs print is harmless on a terminal, and they work in odd environments."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pandas as pd
import pytest

from tests.support.command_line import thawline
from thawline.cli.console import print_json
from thawline.runtime.terminal import ClosedPipeError, safe_streams

HOSTILE = "\x1b]0;t\x07\x1b[2J\x9b31m\u202e[red]"
"""Sequences that set the title, clear the screen and change the colour and the direction."""

FORBIDDEN = {"\x1b", "\x07", "\x9b", "\u202e", "\u200b", "\udcff"}


def harmless(done) -> bool:
    return not FORBIDDEN & {*done.out, *done.err}


@pytest.fixture
def hostile(tmp_path_factory, toy_reviews, toy_backbone, monkeypatch) -> Path:
    """A folder whose name, files, columns, labels and texts hold escape sequences."""
    folder = tmp_path_factory.mktemp("x") / f"a{HOSTILE}".replace("/", "")
    folder.mkdir()
    texts, labels = toy_reviews(40, 1)
    texts = [f"{text} {HOSTILE}" for text in texts]
    names = [f"{'np'[label]}{HOSTILE}" for label in labels]
    frame = pd.DataFrame({f"t{HOSTILE}": texts, f"l{HOSTILE}": names})
    frame.to_csv(folder / f"d{HOSTILE}.csv", index=False)
    (folder / f"c{HOSTILE}.toml").write_text(f"'{HOSTILE.encode('unicode_escape')!r}' = 1")
    shutil.copytree(toy_backbone(), folder / f"b{HOSTILE}")
    monkeypatch.chdir(folder)
    return folder


def test_no_verb_passes_on_an_escape_sequence(hostile):
    data, columns = f"d{HOSTILE}.csv", ("--text", f"t{HOSTILE}", "--label", f"l{HOSTILE}")
    fixed = ("--data", data, *columns, "--backbone", f"b{HOSTILE}")
    run = f"r{HOSTILE}"
    verbs = [
        ("preflight", *fixed),
        ("fit", *fixed, "--out", run, "--epochs", "1", "--strategy", "last:1"),
        ("evaluate", run),
        ("evaluate", run, "--data", data, *columns),
        ("predict", run, f"a {HOSTILE}", "\u200bb"),
        ("predict", run, "--data", data, *columns[:2]),
        ("report", run),
        ("info", "--backbone", run),
        ("store", "ls"),
    ]
    for verb in verbs:
        done = thawline(*verb)
        assert done.code == 0, (verb, done.err)
        assert harmless(done), verb
        if verb[0] != "store":
            as_json = thawline(*verb, *(("--resume",) if verb[0] == "fit" else ()), "--json")
            assert harmless(as_json), verb
            for line in as_json.out.splitlines():
                json.loads(line)
    predicted = thawline("predict", run, "--json", f"a {HOSTILE}").json
    assert predicted["text"] == f"a {HOSTILE}"
    assert predicted["label"] in {f"n{HOSTILE}", f"p{HOSTILE}"}
    for plot in Path(run).glob("*.svg"):
        assert not FORBIDDEN & {*plot.read_text(encoding="utf-8")}


WRONG = [
    ("fit", "--data", "X"),
    ("fit", "--data", "DATA", "--text", "X"),
    ("fit", "--data", "DATA", "--text", "TEXT", "--label", "X"),
    ("fit", "--data", "DATA", "--out", "."),
    ("fit", "--data", "DATA", "--strategy", "X"),
    ("fit", "--config", "X"),
    ("fit", "--set", "X=1"),
    ("fit", "--set", "head.features=X"),
    ("fit", "--set", 'data.labels=["X","b"]'),
    ("fit", "--X"),
    ("preflight", "--data", "DATA", "--against", "X"),
    ("predict", "X", "a"),
    ("predict", "RUN", "--data", "X"),
    ("evaluate", "X"),
    ("report", "X"),
    ("report", "RUN", "--out", "X"),
    ("info", "--backbone", "X"),
    ("generate", "--model", "X"),
    ("pretrain", "--data", "X"),
    ("vectors", "--data", "X", "--out", "X"),
    ("demo", "--data", "X"),
    ("X",),
    ("store", "X"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: "-".join(wrong))
def test_no_error_passes_on_an_escape_sequence(hostile, real, wrong):
    words = {"DATA": f"d{HOSTILE}.csv", "TEXT": f"t{HOSTILE}", "RUN": str(real.run)}
    arguments = [words.get(word, word.replace("X", HOSTILE)) for word in wrong]
    for extra in ((), ("--debug",)):
        done = thawline(*arguments, *extra)
        assert done.code == 2
        assert harmless(done)


def test_formulas_in_labels_and_texts_are_no_cells(fit):
    Path("f.csv").write_text(
        "text,label\n" + '=1+1,=a\n"@SUM(A1)",+b\n' * 20 + "x,=a\nx,+b\n" * 20, encoding="utf-8"
    )
    done = fit("--data", "f.csv")
    assert done.code == 0, done.err
    with Path("run/mistakes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["label"] for row in rows} <= {"'=a", "'+b"}


def test_files_are_classified_in_their_order(real):
    texts = ["a lovely film", "café", "-5 stars", "two\nlines", ""]
    pd.DataFrame({"id": range(5), "review": texts}).to_csv("new.csv", index=False)
    records = thawline("predict", real.run, "--data", "new.csv", "--json").json_lines
    given = thawline("predict", real.run, "--json", "--", *texts).json_lines
    assert records == given
    assert [record["text"] for record in records] == texts
    assert len(thawline("predict", real.run, "--data", "new.csv").out.splitlines()) == 5


@pytest.mark.parametrize("stdin", ["\ufeffWarm\n", "Warm\n", "Warm"])
def test_a_byte_order_mark_is_no_text(real, stdin):
    assert thawline("predict", real.run, "--json", stdin=stdin).json["text"] == "Warm"


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "RUN", "new.csv"),
        ("predict", "RUN", "--data", "new.csv", "text"),
        ("predict", "RUN", "--text", "text"),
        ("predict", "RUN", "-5 stars, awful"),
        ("predict", "RUN", "--data", "new.csv", "--data", "new.csv"),
        ("fit", "--data", "new.csv", "--out", "a", "--out=b"),
        ("fit", "--data", "new.csv", "--standardise", "--no-standardise"),
        ("fit", "--data", "https://example.com/t.csv"),
    ],
)
def test_a_contradiction_is_refused(real, arguments):
    Path("new.csv").write_text("text\na\n", encoding="utf-8")
    done = thawline(*(str(real.run) if word == "RUN" else word for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1


def test_the_home_directory_is_expanded(real, data, monkeypatch):
    monkeypatch.setenv("HOME", str(real.run.parent))
    assert thawline("predict", "~/run", "a film").code == 0
    assert thawline("evaluate", "~/run", "--data", f"~/{data.name}x").code == 2
    assert not Path("~").exists()


def started(*arguments: object, stdin: bytes | None = b"", **environment: str):
    """Run the command line in a process of its own. If ``stdin`` is None, it is closed."""
    command = [sys.executable, "-m", "thawline", *map(str, arguments)]
    if stdin is None:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    return subprocess.run(
        command, env=os.environ | environment, input=stdin, capture_output=True, check=False
    )


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"PYTHONIOENCODING": "cp1252", "MPLBACKEND": "unknown"}, b"caf\xe9 \\U0001f642"),
        pytest.param(
            {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            rb"caf\xe9 \U0001f642",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"TERM": "dumb", "COLUMNS": "20", "LC_ALL": "POSIX"},
            "café 🙂".encode(),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_output_that_the_terminal_lacks_is_escaped(real, environment, text):
    done = started("predict", real.run, stdin="café 🙂\n".encode(), **environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"  " + text + b"\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_json_has_the_exact_values_in_every_encoding(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    value = {"text": "café 🙂 \x1b[31m \x7f\u202e\ud800"}
    with redirect_stdout(stream), safe_streams():
        print_json(value)
    printed = raw.getvalue().decode("ascii")
    assert json.loads(printed) == value
    assert "\x7f" not in printed


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("stdin", "environment"),
    [(None, {}), (b"caf\xe9\n", {}), (b"a film\n", {"PYTHONOPTIMIZE": "2"})],
)
def test_what_cannot_be_read_is_one_line(real, stdin, environment):
    done = started("predict", real.run, stdin=stdin, **environment)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


def test_a_hostile_matplotlibrc_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("matplotlibrc").mkdir()  # matplotlib ignores a folder
    assert thawline("store", "ls").code == 0
    Path("matplotlibrc").rmdir()
    contents = [b"\xff", bytes(2**20 + 1)] + [None] * hasattr(os, "mkfifo")
    for content in contents:
        if content is None:
            Path("matplotlibrc").unlink()
            os.mkfifo("matplotlibrc")
        else:
            Path("matplotlibrc").write_bytes(content)
        done = thawline("store", "ls")
        assert (done.code, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert "matplotlibrc" in done.err


@pytest.mark.e2e
def test_closed_output_ends_the_command_quietly():
    command = f"{sys.executable} -m thawline --help"
    closed = subprocess.run(
        ["bash", "-c", f"{command} >&-; echo $?; {command} | :; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert closed.stderr == ""
    assert closed.stdout.splitlines()[0] == "0"
    assert closed.stdout.splitlines()[1] in ("0", "141")  # 0 if the pipe was not closed yet


def test_a_closed_pipe_has_an_exit_code_of_its_own(monkeypatch):
    def stop(*anything):
        raise ClosedPipeError

    monkeypatch.setattr("thawline.cli.verbs.store.print_text", stop)
    done = thawline("store", "clear")
    assert (done.code, done.out, done.err) == (141, "", "")


@pytest.mark.e2e
@pytest.mark.slow
def test_an_unknown_backend_of_matplotlib_does_not_matter(data, toy_backbone):
    done = started(
        *("fit", "--data", data, "--backbone", toy_backbone(), "--out", "rün", "--json"),
        MPLBACKEND="unknown",
        LC_ALL="POSIX",
    )
    assert done.returncode == 0, done.stderr
    assert {path.suffix for path in Path("rün").iterdir()} >= {".png", ".svg", ".csv"}


def test_the_command_line_ignores_the_backend_of_matplotlib(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "unknown")
    assert thawline("--version").code == 0
    assert "MPLBACKEND" not in os.environ
