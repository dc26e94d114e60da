"""Wrong input, by verb, and the page of the documentation that shows the line each one gets.

The lines themselves are in ``docs/errors.md`` alone. ``make errors-update`` rewrites that page from
what the commands print; review its diff like any other change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.breakage import Wrong, both, cut_short, forbidden, table, written
from tests.support.wrong_inputs.compare import COMPARE
from tests.support.wrong_inputs.data import DATA
from tests.support.wrong_inputs.demo import DEMO
from tests.support.wrong_inputs.folders import FOLDERS
from tests.support.wrong_inputs.generation import GENERATE
from tests.support.wrong_inputs.pretraining import PRETRAIN
from tests.support.wrong_inputs.reports import REPORT
from tests.support.wrong_inputs.runs import EVALUATE, PREDICT
from tests.support.wrong_inputs.settings import SETTINGS
from tests.support.wrong_inputs.starts import STARTS
from tests.support.wrong_inputs.tuning import TUNE
from tests.support.wrong_inputs.use import EXPORT, PUSH, SCORE, SERVE
from tests.support.wrong_inputs.vectors import FIT_VECTORS, VECTORS

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"

THAWLINE = [
    Wrong("a command with a typo", "fti"),
]

INFO = [
    Wrong("one class", "info --labels one"),
    Wrong("a label name twice", "info --labels neg,neg"),
    Wrong("a strategy with a typo", "info --strategy lsat:2"),
    Wrong("k above the depth", "info --strategy last:5"),
    Wrong("a setting that is out of its range", "info --set head.dropout=1"),
    Wrong("an unknown backbone", "info --backbone ./no/such"),
    Wrong("an extra argument", "info bert"),
]

PREFLIGHT = [
    Wrong("no data", "preflight --data ''"),
    Wrong("a max length of 1", "preflight --max-length 1"),
    Wrong("an unknown side", "preflight --truncation-side up"),
    Wrong("a file to compare with that does not exist", "preflight --against no.csv"),
    Wrong("a folder to compare with", "preflight --against reviews"),
    Wrong(
        "a file without texts to compare with",
        "preflight --against t.csv",
        written("t.csv", "text\n"),
    ),
    Wrong("a missing label", "preflight --data t.csv", written("t.csv", "text,label\na,1\nb,\n")),
    Wrong(
        "a truncated Parquet file",
        "preflight --data t.parquet",
        both(table("t.parquet"), cut_short("t.parquet")),
    ),
]

OLD_MANIFEST = "home/store/5e5fbf8b2105e97e80ad17d9d85a76a6/manifest.json"
"""The path of an entry's manifest. The name of its folder is a digest of its key."""

STORE = [
    Wrong("a command with a typo", "store lst"),
    Wrong("an unknown option", "store ls --limit 5"),
    Wrong("a home folder of an unknown user", "store ls", home="~no-such-user/store"),
    Wrong("a name that is too long", "store clear", home="x" * 300),
    Wrong(
        "a store without read permission",
        "store ls",
        both(written("home/store/x/manifest.json", "{}"), forbidden("home/store")),
        home="home",
        unprivileged=True,
    ),
    Wrong(
        "a store without write permission",
        "store clear",
        both(written(OLD_MANIFEST, '{"key": {"format": 1}}'), forbidden("home/store", 0o555)),
        home="home",
        unprivileged=True,
    ),
]

TABLE = {
    "thawline": THAWLINE,
    "fit": [*SETTINGS, *DATA, *FOLDERS, *STARTS, *FIT_VECTORS],
    "predict": PREDICT,
    "score": SCORE,
    "serve": SERVE,
    "export": EXPORT,
    "push": PUSH,
    "evaluate": EVALUATE,
    "report": REPORT,
    "info": INFO,
    "preflight": PREFLIGHT,
    "store": STORE,
    "generate": GENERATE,
    "demo": DEMO,
    "compare": COMPARE,
    "tune": TUNE,
    "vectors": VECTORS,
    "pretrain": PRETRAIN,
}

INTRODUCTION = """# Errors

Input that cannot work ends in one line on standard error. It says what was expected, what was
found and how to fix it. Nothing is printed on standard output, and no unfinished run is left.

| exit code | meaning |
|---|---|
| 0 | success |
| 2 | invalid input, or an operation that the system refused; one line says what |
| 130 | stopped with Ctrl-C; `--resume` continues a run that had started |
| 141 | the reader of the output ended first, as in `thawline … \\| head` |

Add `--debug` to any command to see the traceback above the line. A traceback without `--debug` is a
bug in Thawline: please report it.

A run that fails after it has started (the disk is full, the loss is not finite) keeps its folder,
with `"status": "failed"` and the error in its `record.json`. Fix the cause, then continue the run
with `--resume`.

The tables below are a generated snapshot: the tests run every command and compare the whole line.
The commands ran in a folder with a data set in `reviews/`, a backbone of four blocks and 40
positions in `bert/`, a language model of that size in `qwen3/`, and a finished run in `run/`. Where
the command does not say otherwise, `fit` and `preflight` read `reviews`, these two and `info` use
`bert`, and `generate` uses `qwen3`. An `…` stands for text from the hub's client.
"""


def answers() -> dict[tuple[str, str], str]:
    """Return the rows of the page as it stands, by verb and by what is wrong."""
    found: dict[tuple[str, str], str] = {}
    verb = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            verb = line.removeprefix("## ")
        elif line.startswith("| ") and verb and not line.startswith("| given |"):
            given, _, _ = line.removeprefix("| ").partition(" | ")
            found[verb, given] = line
    return found


def row(wrong: Wrong, line: str) -> str:
    """Return the row of the page for a wrong input that gets this line."""
    return f"| {wrong.given} | {_code(_command(wrong))} | {_code(_short(line))} |"


def page(rows: Mapping[str, Sequence[str]]) -> str:
    """Return the page of the documentation from the rows of each verb."""
    head = "| given | example | answer |\n|---|---|---|\n"
    sections = (f"\n## {verb}\n\n{head}" + "".join(f"{r}\n" for r in rows[verb]) for verb in rows)
    return INTRODUCTION + "".join(sections)


def _command(wrong: Wrong) -> str:
    home = "" if wrong.home is None else f"THAWLINE_HOME={wrong.home} "
    return _short(f"{home}thawline {wrong.command}")


def _short(text: str) -> str:
    return re.sub("x{60,}(…x+)?", "xxx…", text)


def _code(text: str) -> str:
    """Return a text as code in a cell of a table."""
    text = text.replace("|", "\\|").replace("\udcff", "\\udcff")
    return f"`` {text} ``" if "`" in text else f"`{text}`"
