"""Test that the examples run, and that scripts, notebooks and READMEs agree."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.originals import JOBS
from tests.support.command_line import ProverHere
from tests.support.pages import DOCS, ROOT
from thawline import artifact

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")

from examples import notebooks  # noqa: E402 - it needs jupytext

NAMES = [script.stem for script in notebooks.scripts()]
FEW_ROWS = {
    "qwen3_from_scratch": "--limit 40 20 --texts 100 --epochs 1",
    "distilbert_head": "--limit 40 20 --epochs 1",
    "distilbert_last_block": "--limit 40 20 --epochs 1",
    "glove_transfer": "--limit 120 20 --epochs 1",
    "distilbert_lora": "--limit 40 20 --epochs 1 --head native --ranks",
}
"""The arguments with which an example takes seconds."""

ARGUMENTS = re.compile(r"parse_args\(\[\] if")


def script_of(name: str) -> Path:
    return ROOT / "examples" / name / f"{name}.py"


def committed(name: str) -> Any:
    return nbformat.read(script_of(name).with_suffix(".ipynb"), as_version=4)


def with_arguments(source: str, words: list[str]) -> str:
    """Write arguments into the empty list that a notebook parses."""
    return ARGUMENTS.sub(lambda _: f"parse_args({words!r} if", source)


def run_cells(name: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the code cells of a committed notebook in this process and return its names."""
    monkeypatch.setattr(artifact, "Prover", ProverHere)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # the cells run as in a notebook
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in committed(name).cells if cell.cell_type == "code"]
    if not any("Image(" in cell.source for cell in cells):
        monkeypatch.setattr("thawline.jobs.fit._draw", lambda *found: [])  # plots take seconds
    for cell in cells:
        exec(compile(with_arguments(cell.source, words), name, "exec"), names)
    return names


def test_every_original_has_an_example_and_a_tutorial() -> None:
    assert sorted(NAMES) == sorted([*JOBS, "glove_transfer"]) == sorted(FEW_ROWS)
    for name in NAMES:
        assert (DOCS / "tutorials" / f"{name}.md").is_file()
        assert f"{name}.py" in script_of(name).with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_as_short_as_its_tutorial(name: str) -> None:
    assert 30 <= len(script_of(name).read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_the_cells_of_its_script(name: str) -> None:
    expected = notebooks.notebook_of(script_of(name)).cells
    cells = committed(name).cells
    assert [(one.cell_type, one.source) for one in cells] == [
        (one.cell_type, one.source) for one in expected
    ], "run python examples/notebooks.py"
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len([cell for cell in code if ARGUMENTS.search(cell.source)]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_shows_what_the_notebook_prints(name: str) -> None:
    printed = notebooks.printed(committed(name))
    readme = script_of(name).with_name("README.md").read_text(encoding="utf-8")
    assert len(printed.splitlines()) > 5
    assert f"```\n{printed}```\n" in readme, "run python examples/notebooks.py"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_has_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(script_of(name)), run_name="__main__")
    assert "--limit TRAIN TEST" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_a_script_continues_or_refuses_a_used_folder_before_it_trains(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = script_of(name).read_text(encoding="utf-8")
    if name != "glove_transfer":
        assert source.count("_run(config") == source.count("resume=True") > 0
        return
    Path("used/first").mkdir(parents=True)
    monkeypatch.setattr("thawline.load_data", lambda *given, **options: pytest.fail("too late"))
    monkeypatch.setattr(sys, "argv", [name, "--out", "used"])
    with pytest.raises(SystemExit, match=r"^2$"):
        runpy.run_path(str(script_of(name)), run_name="__main__")


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["qwen3_from_scratch", "glove_transfer"])
def test_a_notebook_runs_on_a_few_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_cells(name, FEW_ROWS[name].split(), monkeypatch)
    if name == "qwen3_from_scratch":
        assert names["record"].parameters.trainable == 8_386
    else:
        assert len(names["first"].classes_) == 4


@pytest.mark.e2e
@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("distilbert")])
def test_a_notebook_runs_on_the_layout_of_distilbert(
    name: str, monkeypatch: pytest.MonkeyPatch, toy_backbone: Callable[[str], Path]
) -> None:
    backbone = toy_backbone("distilbert")
    names = run_cells(name, [*FEW_ROWS[name].split(), "--backbone", str(backbone)], monkeypatch)
    record = names["record"]
    assert record.status == "finished"
    assert json.loads((backbone / "config.json").read_text())["model_type"] == "distilbert"
    if name == "distilbert_lora":
        adapter = Path(record.artifact) / "adapter" / "adapter_config.json"
        saved = json.loads(adapter.read_text(encoding="utf-8"))
        assert all(name.endswith(".q_lin") for name in saved["target_modules"])
        assert len(saved["target_modules"]) == 4  # one in each block
        assert (saved["r"], saved["lora_alpha"], saved["lora_dropout"]) == (4, 32, 0.1)
        assert record.config["tokens"]["truncation_side"] == "left"


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_a_kernel(name: str, tmp_path: Path) -> None:
    notebook = committed(name)
    for cell in notebook.cells:
        cell.source = with_arguments(cell.source, FEW_ROWS[name].split())
    notebooks.execute(notebook, tmp_path)
    assert len(notebooks.printed(notebook).splitlines()) > 5
    assert (tmp_path / "runs" / name).is_dir()


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_keeps_only_what_its_cells_print_and_draw(name):
    outputs = [one for cell in committed(name).cells for one in cell.get("outputs", [])]
    assert any(one.get("name") == "stdout" for one in outputs)
    for one in outputs:
        assert one.get("name") == "stdout" or "image/png" in one.get("data", {})
        assert "site-packages" not in json.dumps(one)
        assert not re.search(r"/(tmp|home|root|work|Users)/", json.dumps(one.get("text", "")))
