"""The rooms of the package stand in one order, and each imports only from rooms before it.

``python -m tests.test_rooms`` prints the number of rooms, floors and imports between rooms.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import thawline

SOURCE = Path(thawline.__file__).parent
ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"

ROOMS = (
    *("_version", "errors", "runtime", "config"),
    *("runs", "data", "strategies", "backbones"),
    *("store", "prefix", "models", "inference"),
    *("evaluation", "training", "artifact", "scoring", "report"),
    *("pretraining", "classifier", "jobs", "serving", "compare"),
    *("tuning", "cli", "__main__"),
)
"""The rooms from the first to the last: each imports only from rooms before it.

The root package is not among them: it hands out names of any room, but only when asked for them.
"""

HEAVY = (
    *("torch", "transformers", "numpy", "pandas", "sklearn"),
    *("scipy", "matplotlib", "pyarrow", "pydantic"),
)


def module_name(path: Path) -> str:
    """Return the dotted name of a source file below the root package."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in SOURCE.rglob("*.py")}


def imported_modules(source: str) -> set[str]:
    """Return the modules of the package that a source imports, within functions as well."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            module = node.module
            names = [
                name if name.removeprefix("thawline.") in MODULES else module
                for name in (f"{module}.{alias.name}" for alias in node.names)
            ]
        else:
            continue
        found |= {name.removeprefix("thawline.") for name in names if name.startswith("thawline.")}
    return found


def room_of(module: str) -> str:
    return module.partition(".")[0]


@cache
def room_imports() -> dict[str, set[str]]:
    """Return which other rooms each room imports."""
    imports: dict[str, set[str]] = {room: set() for room in ROOMS}
    for module, path in MODULES.items():
        if module:
            found = {room_of(name) for name in imported_modules(path.read_text(encoding="utf-8"))}
            imports[room_of(module)] |= found - {room_of(module)}
    return imports


def floors(imports: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of each room: one above the highest room that it imports."""
    found: dict[str, int] = {}
    for room in ROOMS:
        found[room] = 1 + max((found[below] for below in imports[room]), default=0)
    return found


def test_every_import_is_seen():
    source = """
import thawline.store
from thawline import __version__, artifact
from thawline.backbones import kernels
def later():
    from thawline.jobs.fit import fit_run
    import torch
"""
    modules = {"store", "artifact", "backbones.kernels", "jobs.fit"}
    assert imported_modules(source) == modules


def test_the_list_of_rooms_is_the_package():
    assert len(set(ROOMS)) == len(ROOMS)
    assert set(ROOMS) == {room_of(module) for module in MODULES if module}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_before_it(room):
    after = room_imports()[room] - set(ROOMS[: ROOMS.index(room)])
    assert not after, f"{room} imports {', '.join(sorted(after))}, which come after it"


def test_no_import_within_a_room_runs_in_a_circle():
    waiting = {
        module: imported_modules(path.read_text(encoding="utf-8")) & set(MODULES) - {module, ""}
        for module, path in MODULES.items()
        if module
    }
    while ready := [module for module, needs in waiting.items() if not needs & set(waiting)]:
        for module in ready:
            del waiting[module]
    assert not waiting, f"these modules import each other: {sorted(waiting)}"


def test_the_root_imports_no_room_before_it_is_asked():
    tree = ast.parse(MODULES[""].read_text(encoding="utf-8"))
    at_once = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [imported_modules(ast.unparse(node)) for node in at_once]
    assert len(modules) >= 3
    assert set().union(*modules) == {"_version"}


def test_the_architecture_page_shows_the_rooms_in_this_order():
    rows = re.findall(r"^\| (`.*?) \|", ARCHITECTURE.read_text("utf-8"), re.MULTILINE)
    shown = [room for row in rows for room in re.findall(r"^`(\w+)(?:\.py|/)`", row)]
    assert shown == [room for room in ROOMS if not room.startswith("_")]


def test_import_and_command_line_load_nothing_heavy():
    script = f"""
import sys
import thawline, thawline.cli
print([name for name in {HEAVY} if name in sys.modules])
"""
    shown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


def main() -> None:
    """Print the rooms by floor and how many imports run between rooms."""
    imports = room_imports()
    by_floor = floors(imports)
    for floor in sorted(set(by_floor.values()), reverse=True):
        print(f"floor {floor:2}  {', '.join(room for room in ROOMS if by_floor[room] == floor)}")
    arrows = sum(map(len, imports.values()))
    print(f"{len(ROOMS)} rooms, {max(by_floor.values())} floors, {arrows} imports between rooms")


if __name__ == "__main__":
    main()
