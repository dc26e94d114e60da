"""A hook of mkdocs that adds a reference page for each room, generated from docstrings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = "thawline"


def pages(package: Path) -> dict[str, str]:
    """Return the Markdown of each room's page by its path in the site, sorted by name.

    Args:
        package: The folder of the package.
    """
    return {
        f"reference/{room}.md": _page([f"{ROOT}.{name}" for name in names])
        for room, names in _rooms(package).items()
    }


def _rooms(package: Path) -> dict[str, list[str]]:
    """Return the names of the modules of each room. The first one is the room itself."""
    rooms: dict[str, list[str]] = {}
    for name in sorted(_modules(package)):
        rooms.setdefault(name.partition(".")[0], []).append(name)
    return rooms


def _modules(package: Path) -> Iterator[str]:
    for path in package.rglob("*.py"):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts and not parts[-1].startswith("_"):
            yield ".".join(parts)


def _page(modules: list[str]) -> str:
    first, *inner = modules
    title = f"# {first.removeprefix(f'{ROOT}.')}\n"
    # Names that a package exports are documented in the modules that define them.
    room = _directive(first, show_root_heading=False, members=False if inner else None)
    return "\n".join([title, room, *(_directive(n, show_root_full_path=True) for n in inner)])


def _directive(name: str, **options: bool | None) -> str:
    lines = [f"      {key}: {json.dumps(value)}" for key, value in options.items()]
    return "\n".join([f"::: {name}", "    options:", *lines, ""])


# -- hooks that mkdocs calls ----------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages of the rooms to the navigation, after the page that is written by hand."""
    for entry in config.nav or []:
        for listed in entry.values() if isinstance(entry, dict) else ():
            if listed == ["reference/index.md"]:
                listed += pages(_package(config))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the rooms to the files of the site."""
    for path, content in pages(_package(config)).items():
        files.append(File.generated(config, path, content=content))
    return files


def _package(config: MkDocsConfig) -> Path:
    options: dict[str, Any] = config.plugins["mkdocstrings"].config
    (source,) = options["handlers"]["python"]["paths"]
    return Path(config.config_file_path).parent / source / ROOT
