"""Write the notebooks of the examples from their scripts, and what they print into the READMEs.

Run it from the root of the repository, in the environment of ``make install``::

    python examples/notebooks.py                    # all examples
    python examples/notebooks.py distilbert_head    # one of them
    python examples/notebooks.py --folder build     # keep the runs, so that they can be resumed

A script in the percent format of jupytext is the only source: its notebook has the same cells. This
command runs each notebook without arguments, which takes minutes. It keeps what the cells print and
draw, and leaves out progress bars and warnings. The README shows the same lines.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

HERE = Path(__file__).parent

_PRINTED = re.compile(r"(?<=<!-- printed -->\n```\n).*?(?=```\n<!-- end of printed -->)", re.DOTALL)


def scripts() -> list[Path]:
    """Return the scripts that have a notebook, one for each original tutorial."""
    return sorted(path for path in HERE.glob("*/*.py") if path.stem == path.parent.name)


def notebook_of(script: Path) -> NotebookNode:
    """Return the notebook of a script, without outputs."""
    notebook = jupytext.read(script, fmt="py:percent")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(kernel))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # otherwise random
        cell.metadata = NotebookNode()
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run a notebook in a folder. Its cells get what they print and draw, without progress bars.

    Args:
        notebook: The notebook, which is changed.
        folder: The working folder.
    """
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=None, resources=resources, record_timing=False).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]


def printed(notebook: NotebookNode) -> str:
    """Return everything that the cells of a notebook print on standard output."""
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    return "".join(one.text for one in outputs if one.get("name") == "stdout")


def write_readme(readme: Path, text: str) -> None:
    """Write what a notebook prints into the place that its README marks."""
    content = readme.read_text(encoding="utf-8")
    readme.write_text(_PRINTED.sub(lambda _: text, content), encoding="utf-8")


def main() -> None:
    """Run the notebooks of the named examples, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="EXAMPLE", help="Default: all examples")
    parser.add_argument("--folder", type=Path, help="Folder of the runs. Default: a scratch folder")
    options = parser.parse_args()
    for script in scripts():
        if options.names and script.stem not in options.names:
            continue
        notebook = notebook_of(script)
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) if options.folder is None else options.folder / script.stem
            folder.mkdir(parents=True, exist_ok=True)
            execute(notebook, folder)
        nbformat.write(notebook, script.with_suffix(".ipynb"))
        write_readme(script.with_name("README.md"), printed(notebook))
        print(script.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
