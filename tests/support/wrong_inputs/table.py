"""Wrong input, by verb: what is given, and the line that it gets.

``python -m tests.support.wrong_inputs.table`` prints the table as the page ``docs/errors.md``.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.breakage import Wrong, both, cut_short, forbidden, table, written
from tests.support.wrong_inputs.data import DATA
from tests.support.wrong_inputs.demo import DEMO
from tests.support.wrong_inputs.folders import FOLDERS
from tests.support.wrong_inputs.generation import GENERATE
from tests.support.wrong_inputs.pretraining import PRETRAIN
from tests.support.wrong_inputs.runs import EVALUATE, PREDICT
from tests.support.wrong_inputs.settings import SETTINGS
from tests.support.wrong_inputs.starts import STARTS
from tests.support.wrong_inputs.vectors import FIT_VECTORS, VECTORS

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"

THAWLINE = [
    Wrong(
        "a verb with a typing error",
        "fti",
        "a verb of thawline",
        "'fti'",
        "did you mean 'fit'?",
    ),
]

INFO = [
    Wrong(
        "one class",
        "info --labels one",
        "at least two classes",
        "1",
        "write --labels neg,pos",
    ),
    Wrong(
        "a label name twice",
        "info --labels neg,neg",
        "label names that differ and are not empty",
        "neg, neg",
        "give --labels each name once",
    ),
    Wrong(
        "a strategy with a typing error",
        "info --strategy lsat:2",
        "a strategy (head, last:1, lora:r=4,alpha=32, full, gradual, lp+full)",
        "'lsat:2'",
        "did you mean 'last'?",
    ),
    Wrong(
        "k above the depth",
        "info --strategy last:5",
        "k to be from 1 to 4, as many as this backbone has blocks",
        "'last:5'",
        "give k of at most 4",
    ),
    Wrong(
        "a setting that is out of its range",
        "info --set head.dropout=1",
        "--set head.dropout to be a number of at least 0 and below 1",
        "1",
        "mend it, or leave it out for 0.1",
    ),
    Wrong(
        "no such backbone",
        "info --backbone ./no/such",
        "a backbone's folder, a packaged name (minilm, thawline/qwen3-mini) or a model on the hub",
        "'./no/such', which is no folder here and cannot be a hub id",
        "check the path, or the name and the network (choose from minilm, thawline/qwen3-mini)",
    ),
    Wrong(
        "a word too many",
        "info bert",
        "no more words after thawline info",
        "'bert'",
        "leave that out; see thawline info --help",
    ),
]

PREFLIGHT = [
    Wrong(
        "no data",
        "preflight --data ''",
        "a file, a folder, a set's name or a hub id",
        "no data",
        "name one with --data",
    ),
    Wrong(
        "a max length of 1",
        "preflight --max-length 1",
        "a --max-length from 4 to 40 tokens, the limits of bert",
        "1",
        "give --max-length 40 or leave it out",
    ),
    Wrong(
        "a side that there is not",
        "preflight --truncation-side up",
        "--truncation-side to be right or left",
        '"up"',
        "choose from right, left",
    ),
    Wrong(
        "no such file to compare with",
        "preflight --against no.csv",
        "a file that can be read (no.csv)",
        "No such file or directory",
        "check that it is there and that you may read it",
    ),
    Wrong(
        "a folder to compare with",
        "preflight --against reviews",
        "a file (reviews)",
        "a folder",
        "give one of the files in it",
    ),
    Wrong(
        "a file without texts to compare with",
        "preflight --against t.csv",
        "at least one row in t.csv",
        "none",
        "choose another file",
        written("t.csv", "text\n"),
    ),
    Wrong(
        "a missing label",
        "preflight --data t.csv",
        "a label in every row of t.csv",
        "none in row 1 (counting from 0)",
        "fill the cell, take the row out, or name another column with --label",
        written("t.csv", "text,label\na,1\nb,\n"),
    ),
    Wrong(
        "a Parquet file cut short",
        "preflight --data t.parquet",
        "a whole Parquet file (t.parquet)",
        (
            "Parquet magic bytes not found in footer. Either the file is corrupted or this "
            "is not a parquet file."
        ),
        "mend the file or fetch it again",
        both(table("t.parquet"), cut_short("t.parquet")),
    ),
]

STORE = [
    Wrong(
        "a verb with a typing error",
        "store lst",
        "a verb of thawline store",
        "'lst'",
        "did you mean 'ls'?",
    ),
    Wrong(
        "an option that it does not take",
        "store ls --limit 5",
        "an option of thawline store ls",
        "--limit",
        "see thawline store ls --help",
    ),
    Wrong(
        "a home of nobody",
        "store ls",
        "a home for the store",
        "'~no-such-user/store'",
        "set THAWLINE_HOME to a folder",
        home="~no-such-user/store",
    ),
    Wrong(
        "a name that is too long",
        "store clear",
        "files that can be read and written",
        "File name too long ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…')",
        "give a shorter name",
        home="x" * 300,
    ),
    Wrong(
        "a store that may not be read",
        "store ls",
        "files that can be read and written",
        "Permission denied ('home/store')",
        "choose a place that you may read and write",
        both(written("home/store/x/manifest.json", "{}"), forbidden("home/store")),
        home="home",
        unprivileged=True,
    ),
    Wrong(
        "a store that may not be written",
        "store clear",
        "files that can be read and written",
        "Permission denied ('home/store/x.lock')",
        "choose a place that you may read and write",
        both(written("home/store/x/manifest.json", "{}"), forbidden("home/store", 0o555)),
        home="home",
        unprivileged=True,
    ),
]

TABLE = {
    "thawline": THAWLINE,
    "fit": [*SETTINGS, *DATA, *FOLDERS, *STARTS, *FIT_VECTORS],
    "predict": PREDICT,
    "evaluate": EVALUATE,
    "info": INFO,
    "preflight": PREFLIGHT,
    "store": STORE,
    "generate": GENERATE,
    "demo": DEMO,
    "vectors": VECTORS,
    "pretrain": PRETRAIN,
}

INTRODUCTION = """# Errors

What cannot work ends in one line on standard error: what was expected, what was found, and how to
mend it. Nothing else is printed on standard output, and no run is left half made.

| exit code | means |
|---|---|
| 0 | done |
| 2 | wrong input, or something that the system refused: one line says what |
| 130 | stopped with Ctrl-C; `--resume` goes on with a run that had begun |

Add `--debug` to any command to see the traceback above the line. A traceback without `--debug`
is a fault of Thawline: please report it.

A run that fails once it has begun (the disk is full, the loss is not finite) keeps its folder,
with `"status": "failed"` and the error in its `record.json`. Once that is mended, `--resume` goes
on with it.

The tables below are the ones that the tests hold every line to, word for word. They were made in a
folder with a set in `reviews/`, a backbone of four blocks and 40 positions in `bert/`, a language
model of that size in `qwen3/`, and a finished run in `run/`; `fit` and `preflight` read `reviews`
and, like `info`, take `bert` where the command does not say, and `generate` takes `qwen3`. An `…`
stands for what the hub's client says.
"""


def page() -> str:
    """Return the page of the documentation that the table makes."""
    return INTRODUCTION + "".join(map(_section, TABLE))


def _section(verb: str) -> str:
    rows = "".join(
        f"| {wrong.given} | {_code(_command(wrong))} | {_code(_short(wrong.line))} |\n"
        for wrong in TABLE[verb]
    )
    return f"\n## {verb}\n\n| given | as in | answer |\n|---|---|---|\n{rows}"


def _command(wrong: Wrong) -> str:
    home = "" if wrong.home is None else f"THAWLINE_HOME={wrong.home} "
    return _short(f"{home}thawline {wrong.command}")


def _short(text: str) -> str:
    return text.replace("x" * 300, "xxx…").replace("x" * 60 + "…", "xxx…")


def _code(text: str) -> str:
    """Return a text as code in a cell of a table."""
    text = text.replace("|", "\\|").replace("\udcff", "\\udcff")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


if __name__ == "__main__":
    print(page(), end="")
