"""The fenced blocks of a documentation page: run them, and compare what they show."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.command_line import Outcome, thawline

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_GAP = "…"

# What differs between machines, or between two runs on one of them.
_VARYING = (
    (r"\b\d+:\d\d:\d\d\b", "TIME"),
    (r"[─━╸╺]+", "─"),
    (r"(?m)^(mistakes +)[\d,]+ of", r"\1NUMBER of"),  # on another machine others are wrong
    (r"(?m)^\w+ +\w+ +[\d.]+ % +\d+( \(cut\))? +\S.*$", "MISTAKE"),
    (r"[-+]?\b\d[\d,]*\.\d+(e[-+]\d+)?", "NUMBER"),
    (r"(largest difference) \S+", r"\1 NUMBER"),
    (r"(NUMBER|\b[\d,]+) [kMG]B\b", "SIZE"),
    (r"\bstages? \d[\d, ]*", "STAGES"),  # which the exact fit chose
    (r"[\d,]+ of [\d,]+ (?=parameters)", "NUMBER "),  # which follows from it
    (r"[\d,]+ (?=(?:texts|tokens)/s)", "NUMBER "),
    (r"\bbfloat16\b|\bfloat32\b", "DTYPE"),
    (r"\b[0-9a-f]{8}\b", "ENTRY"),
    (r" +", " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block; one with a title stands for a file of that name."""

    language: str
    title: str | None
    content: str


@dataclass(frozen=True)
class Command:
    """A command of a page with the output that the page shows, a line of ``…`` for what is cut."""

    words: tuple[str, ...]
    shown: str

    def run(self) -> Outcome:
        program, *arguments = self.words
        assert program == "thawline", f"no test can run {program}"
        stdin = ""
        if len(arguments) > 2 and arguments[-2] == "<":
            stdin = Path(arguments[-1]).read_text(encoding="utf-8")
            arguments = arguments[:-2]
        return thawline(*arguments, stdin=stdin)

    def problem(self, outcome: Outcome, *own: str) -> str | None:
        """Say how the outcome differs from what is shown; ``own`` are names of this test's."""
        fails = self.shown.startswith("error: ")
        printed = outcome.err + outcome.out
        for place in own:
            printed = printed.replace(place, "")
        if outcome.code == (2 if fails else 0) and matches(self.shown, printed):
            return None
        written = shlex.join(self.words)
        return f"$ {written}\n{self.shown}\n-- printed, exit code {outcome.code}:\n{printed}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page that name a language."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(language, title or None, content) for language, title, content in found]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block; a line that ends in a backslash goes on."""
    before, *rest = re.split(r"^\$ ", block.content, flags=re.MULTILINE)
    assert not before, f"a console block begins with a command, not with {before!r}"
    for written in rest:
        line, _, shown = written.replace("\\\n", " ").partition("\n")
        yield Command(tuple(shlex.split(line)), shown.strip())


def matches(shown: str, printed: str) -> bool:
    """Say whether lines that may be cut short with ``…`` are what was printed."""
    pattern = ""
    for line in _normal(shown):
        cut = re.escape(line).replace(_GAP, ".*")
        pattern += r"(?:.*\n)*?" if line == _GAP else f"{cut}\n"
    whole = "".join(f"{line}\n" for line in _normal(printed))
    return re.fullmatch(pattern, whole) is not None


def _normal(text: str) -> list[str]:
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def run_python(source: str, names: dict[str, Any]) -> int:
    """Run a Python block; return how many values were equal to the comments behind them.

    An expression with a literal as its comment, ``labels.names  # ('neg', 'pos')``, must have
    that value.
    """
    compared = 0
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Expr):
            exec(compile(ast.Module([node], []), "page", "exec"), names)
            continue
        value = eval(compile(ast.Expression(node.value), "page", "eval"), names)
        said = _said(source.splitlines()[node.end_lineno - 1])
        if said:
            assert [value] == said, f"{ast.unparse(node)} is {value!r}, not {said[0]!r}"
            compared += 1
    return compared


def _said(line: str) -> Sequence[Any]:
    """Return the literal in the comment of a line, in a list; an empty one where there is none."""
    _, _, comment = line.rpartition("  # ")
    try:
        return [ast.literal_eval(comment)]
    except (ValueError, SyntaxError):
        return []
