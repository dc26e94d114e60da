"""Test that the pages in docs/ show true output and that their lists are complete."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from matplotlib.figure import Figure

from tests.support import settings_page
from tests.support.command_line import ProverHere
from tests.support.page_updates import update_output
from tests.support.pages import DOCS, ROOT, Block, Command, blocks, commands, matches, run_python
from thawline import artifact
from thawline.backbones import families
from thawline.cli import app
from thawline.config import Config, PretrainConfig
from thawline.config.annotations import settings_of
from thawline.data.sources import tables
from thawline.data.sources.hub import known_sets

PAGES = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
TOURS = (
    (
        *("verbs/fit.md", "verbs/predict.md", "verbs/score.md", "verbs/push.md"),
        *("verbs/evaluate.md", "verbs/report.md"),
    ),
    ("verbs/store.md",),
    ("verbs/preflight.md",),
    ("verbs/info.md",),
    ("verbs/pretrain.md",),
    ("verbs/generate.md",),
    ("verbs/demo.md",),
    ("verbs/compare.md", "records.md"),
    ("verbs/tune.md",),
    ("verbs/vectors.md",),
    ("index.md", "install.md"),
    ("data.md",),
    ("configuration.md",),
    ("backbones.md",),
    ("python.md",),
    ("scikit-learn.md",),
    ("tutorials/qwen3_from_scratch.md", "tutorials/glove_transfer.md"),
    (
        "tutorials/distilbert_head.md",
        "tutorials/distilbert_last_block.md",
        "tutorials/distilbert_lora.md",
    ),
)
"""The pages with blocks to run. The pages of one tour share a working folder."""


def marked(tour: tuple[str, ...]) -> Any:
    """Return a tour, marked as slow if what it shows has tests of its own."""
    slow = tour[0].startswith("tutorials/") or tour[0] == "verbs/vectors.md"
    return pytest.param(tour, marks=[pytest.mark.slow] if slow else [], id=tour[0])


EMPTY_STORE = ("verbs/store.md",)
"""Pages that need an empty store. The others share one, so that each text is read once."""


def runnable(page: str) -> list[Block]:
    return [block for block in blocks(PAGES[page]) if block.language in ("console", "python")]


# -- the shown output is true ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "thawline"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a page in an empty folder with 80 columns, and undo its changes to this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    save = Figure.savefig

    def sketch(figure: Figure, place: Any, **options: Any) -> None:
        """Write a file without rendering it, because pages show only the names of plots."""
        if isinstance(place, Path):
            place.write_bytes(b"a plot")
        else:  # a plot within a report
            save(figure, place, **options)

    monkeypatch.setattr(Figure, "savefig", sketch)
    return tmp_path


@pytest.mark.parametrize("tour", [marked(tour) for tour in TOURS])
def test_a_page_shows_what_happens(
    tour, workplace, shared_home, tmp_path_factory, monkeypatch, request
):
    update = request.config.getoption("update_pages")
    if "verbs/tune.md" in tour:
        pytest.importorskip("optuna")
    if "verbs/vectors.md" in tour:
        pytest.importorskip("gensim", reason="gensim has no wheels for Python 3.14")
    alone = any(page in EMPTY_STORE for page in tour)
    home = tmp_path_factory.mktemp("own") / "thawline" if alone else shared_home
    monkeypatch.setenv("THAWLINE_HOME", str(home))
    for page in tour:
        text = PAGES[page].read_text(encoding="utf-8")
        assert run_page(page, workplace, update=update) == (
            len(re.findall(r"^\$ thawline ", text, re.MULTILINE)),
            len(re.findall(r"^\S.*  # (?:['\"(\[\d]|True$|False$)", text, re.MULTILINE)),
        )


def run_page(page: str, workplace: Path, *, update: bool = False) -> tuple[int, int]:
    """Run a page and return the numbers of executed commands and of compared values.

    Args:
        page: The path of the page below docs/.
        workplace: The folder in which the commands run.
        update: Whether shown output is rewritten in the page instead of compared.
    """
    names: dict[str, Any] = {}
    ran = compared = 0
    for block in blocks(PAGES[page]):
        if block.title is not None:
            write(workplace / block.title, block.content)
        elif block.language == "console":
            ran += run_console(page, block, workplace, update=update)
        elif block.language == "python":
            compared += run_python(block.content, names)
    return ran, compared


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def run_console(page: str, block: Block, workplace: Path, *, update: bool) -> int:
    listed = list(commands(block))
    for command in listed:
        outcome, own = command.run(), f"{workplace}{os.sep}"
        problem = command.problem(outcome, own)
        if problem is not None and update:
            rewrite_output(page, block, command, (outcome.err + outcome.out).replace(own, ""))
            continue
        assert problem is None, problem
    return len(listed)


def rewrite_output(page: str, block: Block, command: Command, printed: str) -> None:
    """Replace the output of a command in its block of a page."""
    text = PAGES[page].read_text(encoding="utf-8")
    content = UPDATED.get((page, block.content), block.content)
    assert text.count(content) == content.count(command.shown) == 1, command.shown
    new = content.replace(command.shown, update_output(command.shown, printed))
    PAGES[page].write_text(text.replace(content, new), encoding="utf-8")
    UPDATED[page, block.content] = new


UPDATED: dict[tuple[str, str], str] = {}
"""The current content of each block that was rewritten, by its page and its old content."""


def test_every_page_with_blocks_to_run_is_in_a_tour():
    toured = [page for tour in TOURS for page in tour]
    assert sorted(toured) == sorted(page for page in PAGES if runnable(page))


def test_the_pages_have_many_examples():
    shown = [block for page in PAGES for block in runnable(page)]
    consoles = [block for block in shown if block.language == "console"]
    listed = [command for block in consoles for command in commands(block)]
    assert len(listed) >= 38
    assert len(shown) >= 45
    assert all(command.shown for command in listed), "a command is shown without its output"


# -- the lists are complete ------------------------------------------------------------------------


def test_the_table_of_settings_is_the_configuration():
    text = PAGES["configuration.md"].read_text(encoding="utf-8")
    assert text == settings_page.page(text), "run `make settings-update`"
    for config_type in (Config, PretrainConfig):
        assert all(f"| `{key}` |" in text for key in settings_of(config_type))


def test_every_verb_has_a_page_with_each_of_its_options():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("verbs/*.md")}
    root: Any = typer.main.get_command(app)
    assert sorted(pages) == sorted(root.commands)
    for verb, command in root.commands.items():
        known = options(command)
        named = set(re.findall(r"`[^`\n]*?(--[a-z0-9-]+)", pages[verb]))
        assert known, f"no options of {verb}"
        assert not known - named, f"{verb}.md lacks {sorted(known - named)}"


def options(command: Any) -> set[str]:
    """Return the long options of a command, including those of its subcommands."""
    named = {
        name
        for option in command.params
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--") and name != "--help"
    }
    return named.union(*(options(below) for below in getattr(command, "commands", {}).values()))


def test_an_options_table_names_no_option_that_the_verb_lacks():
    root: Any = typer.main.get_command(app)
    for verb, command in root.commands.items():
        text = (DOCS / "verbs" / f"{verb}.md").read_text(encoding="utf-8")
        table = text.partition("## Options")[2].partition("\n## ")[0]
        first_cells = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
        named = set(re.findall(r"--[a-z0-9-]+", " ".join(first_cells)))
        assert named, f"no options in the table of {verb}.md"
        assert not named - options(command), f"{verb}.md: {sorted(named - options(command))}"


def test_the_table_of_families_is_the_one_in_stack():
    text = PAGES["backbones.md"].read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| .+ \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted(families.FAMILIES)


def test_all_common_column_names_are_listed():
    text = PAGES["data.md"].read_text(encoding="utf-8")
    pairs = [name for pair in tables.PAIR_COLUMNS for name in pair]
    for name in (*tables.TEXT_COLUMNS, *tables.LABEL_COLUMNS, *pairs, *known_sets()):
        assert f"`{name}`" in text, f"data.md lacks {name}"


def test_the_extras_are_those_of_the_package():
    text = PAGES["install.md"].read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = text.partition("| extra |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(project["optional-dependencies"])


# -- the site --------------------------------------------------------------------------------------


def test_every_link_between_pages_has_a_target():
    links = [
        (page, link)
        for page, path in PAGES.items()
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if "://" not in link
    ]
    assert len(links) >= 40
    broken = [(page, link) for page, link in links if not target(page, link).is_file()]
    assert not broken


def target(page: str, link: str) -> Path:
    return (DOCS / page).parent / link.partition("#")[0] if link[0] != "#" else DOCS / page


def test_every_page_is_in_the_navigation():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(in_navigation(site["nav"])) == sorted(PAGES)


def in_navigation(entries: Any) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
        return
    for entry in entries.values() if isinstance(entries, dict) else entries:
        yield from in_navigation(entry)


# -- the comparison of output ----------------------------------------------------------------------


def test_wrong_output_on_a_page_is_detected():
    printed = "states of 60 texts: 1.0 MB\nminilm  60 texts\nproof  difference 0\n"
    assert matches("states of 60 texts: 2.5 MB\nminilm 60 texts\nproof difference 0", printed)
    assert matches("…\nminilm  60 texts\n…", printed)
    assert not matches("…\nminilm  61 texts\n…", printed)
    wrong = "mistakes 3 of 60 texts\npos  neg  97.1 %  12 (truncated)  So good …\n"
    assert matches("mistakes  2 of 60 texts\nneg  pos  90.0 %  7  A bore …", wrong)
    assert not matches("mistakes  2 of 60 texts\nwords without shares", wrong)
    assert not matches("minilm  60 texts\n…", printed)
    assert not matches("states of 60 texts: 1.0 MB\nminilm  60 texts", printed)


def test_a_wrong_value_in_a_comment_is_detected():
    assert run_python("one = 1\none + 1  # 2\n", {}) == 1
    with pytest.raises(AssertionError, match="one \\+ 1 is 2, not 3"):
        run_python("one = 1\none + 1  # 3\n", {})
