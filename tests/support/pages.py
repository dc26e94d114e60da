"""Run the fenced blocks of a documentation page and compare the output with the page."""

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
_OMITTED = "…"

# Output that differs between machines, or between two runs on one machine.
_VARYING = (
    (r"\n {10}(?=\S)", " "),  # where a line is wrapped depends on the length of its numbers
    (r"\b\d+:\d\d:\d\d\b", "TIME"),
    (r"[─━╸╺]+", "─"),
    (r"(?m)^(mistakes +)[\d,]+ of", r"\1NUMBER of"),  # wrong predictions depend on the machine
    (r"(?m)^\w+ +\w+ +[\d.]+ % +\d+( \(truncated\))? +\S.*$", "MISTAKE"),
    (r"[-+]?\b\d[\d,]*\.\d+(e[-+]\d+)?", "NUMBER"),
    (r"(largest difference) [^\s)]+", r"\1 NUMBER"),
    (r"NUMBER s, (?:less than )?\d+ %", "SPEED"),
    (r"(NUMBER|\b[\d,]+) [kMG]B\b", "SIZE"),
    (r"\bstages? \d[\d, ]*", "STAGES"),  # the stages that the exact fit chose
    (r"[\d,]+ of [\d,]+ (?=parameters)", "NUMBER "),  # depends on the chosen stages
    (r"[\d,]+ (?=(?:texts|tokens)/s)", "NUMBER "),
    (r"\bbfloat16\b|\bfloat32\b", "DTYPE"),
    (r"\b[0-9a-f]{8}\b", "ENTRY"),
    (r" +", " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block. If it has a title, it is the content of a file of that name."""

    language: str
    title: str | None
    content: str


@dataclass(frozen=True)
class Command:
    """A command of a page with the output that the page shows. ``…`` marks omitted output."""

    words: tuple[str, ...]
    shown: str

    def run(self) -> Outcome:
        """Run the command within this process. ``< FILE`` at its end becomes the standard input."""
        program, *arguments = self.words
        assert program == "thawline", f"no test can run {program}"
        stdin = ""
        if len(arguments) > 2 and arguments[-2] == "<":
            stdin = Path(arguments[-1]).read_text(encoding="utf-8")
            arguments = arguments[:-2]
        return thawline(*arguments, stdin=stdin)

    def problem(self, outcome: Outcome, *removed: str) -> str | None:
        """Return a message that shows the difference to the page, or None if there is none.

        Args:
            outcome: The outcome of the command.
            removed: Strings that are removed from the output, such as the test's own folder.
        """
        fails = self.shown.startswith("error: ")
        printed = outcome.err + outcome.out
        for text in removed:
            printed = printed.replace(text, "")
        if outcome.code == (2 if fails else 0) and matches(self.shown, printed):
            return None
        written = shlex.join(self.words)
        return f"$ {written}\n{self.shown}\n-- printed, exit code {outcome.code}:\n{printed}"


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page that name a language."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(language, title or None, content) for language, title, content in found]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block. A backslash at the end of a line continues it."""
    before, *rest = re.split(r"^\$ ", block.content, flags=re.MULTILINE)
    assert not before, f"a console block begins with a command, not with {before!r}"
    for written in rest:
        line, _, shown = written.replace("\\\n", " ").partition("\n")
        yield Command(tuple(shlex.split(line)), shown.strip())


def matches(shown: str, printed: str) -> bool:
    """Return whether the shown lines match the printed ones. ``…`` matches any output."""
    pattern = ""
    for line in _normal(shown):
        line_pattern = re.escape(line).replace(_OMITTED, ".*")
        pattern += r"(?:.*\n)*?" if line == _OMITTED else f"{line_pattern}\n"
    normal = "".join(f"{line}\n" for line in _normal(printed))
    return re.fullmatch(pattern, normal) is not None


def _normal(text: str) -> list[str]:
    """Return the lines of a text with placeholders for everything that varies."""
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def run_python(source: str, names: dict[str, Any]) -> int:
    """Run a Python block and return the number of values that were compared with a comment.

    If the comment after an expression is a literal, as in ``labels.names  # ('neg', 'pos')``, the
    expression must have that value.
    """
    compared = 0
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Expr):
            exec(compile(ast.Module([node], []), "page", "exec"), names)
            continue
        value = eval(compile(ast.Expression(node.value), "page", "eval"), names)
        expected = _literal_in_comment(source.splitlines()[node.end_lineno - 1])
        if expected:
            assert [value] == expected, f"{ast.unparse(node)} is {value!r}, not {expected[0]!r}"
            compared += 1
    return compared


def _literal_in_comment(line: str) -> Sequence[Any]:
    """Return a list with the literal in the comment of a line, or an empty list without one."""
    _, _, comment = line.rpartition("  # ")
    try:
        return [ast.literal_eval(comment)]
    except (ValueError, SyntaxError):
        return []
