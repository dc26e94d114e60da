from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from thawline.cli import usage
from thawline.errors import ThawlineError

app = typer.Typer(rich_markup_mode=None)


@app.command()
def plant(trees: int, fruit: bool = False, kind: str = "oak") -> None:
    """Plant trees."""


@app.command()
def fell() -> None:
    """Fell them."""


def explained(*arguments: str) -> ThawlineError:
    command = typer.main.get_command(app)
    with pytest.raises(usage.UsageError) as caught:
        command(list(arguments), prog_name="wood", standalone_mode=False)
    return usage.explain(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected", "found", "fix"),
    [
        ("plnt 3", "wood", "'plnt'", "'plant'"),
        ("plant 3 --fruits", "wood plant", "'--fruits'", "'--fruit'"),
        ("plant 3 --xyz", "wood plant", "'--xyz'", "`wood plant --help`"),
        ("plant 3 --kind", "--kind", "", ""),
        ("plant 3 --fruit=1", "--fruit", "", ""),
        ("fell all of them", "wood fell", "'all of them'", "`wood fell --help`"),
        ("plant", "wood plant", "", "`wood plant --help`"),
        ("plant many", "wood plant", "trees", "`wood plant --help`"),
    ],
)
def test_a_wrong_command_line_is_explained(arguments, expected, found, fix):
    error = explained(*arguments.split())
    assert expected in error.expected
    assert found in error.found
    assert fix in error.fix


def test_options_that_begin_with_no_are_suggested():
    assert "'--no-fruit'" in explained("plant", "3", "--no-fruits").fix


def test_the_toy_works():
    assert CliRunner().invoke(app, ["plant", "3"]).exit_code == 0
