"""The screens on which pages are tested, and a Chromium to open them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HOW = "needs the extra 'browser' (pip install -e '.[browser]') and Chromium"
SCREENS = {
    "light": ((1280, 900), "light"),
    "dark": ((1280, 900), "dark"),
    "narrow": ((390, 844), "light"),
    "narrow and dark": ((390, 844), "dark"),
}
"""The size of the window and the colour scheme of each screen."""


def open_browser() -> Iterator[Any]:
    """Yield a Chromium. Skip the test if it is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason=HOW)
    pytest.importorskip("axe_playwright_python", reason=HOW)
    with playwright.sync_playwright() as started:
        path = shutil.which("chromium") or started.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip(HOW)
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
