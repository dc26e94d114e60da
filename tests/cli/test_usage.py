from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from thawline.cli import usage

app = typer.Typer(rich_markup_mode=None)


@app.command()
def plant(trees: int, fruit: bool = False, kind: str = "oak") -> None:
    """Plant trees."""


@app.command()
def fell() -> None:
    """Fell them."""


def explained(*arguments: str) -> str:
    command = typer.main.get_command(app)
    with pytest.raises(usage.UsageError) as caught:
        command(list(arguments), prog_name="wood", standalone_mode=False)
    return str(usage.explain(caught.value))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("plnt 3", "expected a verb of wood, found 'plnt'; did you mean 'plant'?"),
        (
            "plant 3 --fruits",
            "expected an option of wood plant, found --fruits; did you mean '--fruit'? "
            "see wood plant --help",
        ),
        (
            "plant 3 --xyz",
            "expected an option of wood plant, found --xyz; see wood plant --help",
        ),
        ("plant 3 --kind", "expected --kind with a value, found none; write one after it"),
        ("plant 3 --fruit=1", "expected --fruit without a value, found one; leave the value out"),
        (
            "fell all of them",
            "expected no more words after wood fell, found 'all of them'; leave that out; "
            "see wood fell --help",
        ),
    ],
)
def test_a_wrong_command_line_is_explained(arguments, line):
    assert explained(*arguments.split()) == line


def test_what_has_no_words_of_its_own_is_told_in_those_of_typer():
    line = explained("plant", "many")
    assert line.startswith("expected a command line that wood plant takes, found Invalid value for")
    assert line.endswith("; see wood plant --help")


def test_options_that_begin_with_no_are_known_too():
    assert "did you mean '--no-fruit'?" in explained("plant", "3", "--no-fruits")


def test_the_toy_works():
    assert CliRunner().invoke(app, ["plant", "3"]).exit_code == 0
