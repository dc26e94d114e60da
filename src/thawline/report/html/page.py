"""Turn the parts of a report into one HTML file that needs no network."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from thawline._version import __version__
from thawline.errors import printable
from thawline.report.html.blocks import Page

TEMPLATES = Path(__file__).parent / "templates"
"""The folder of the templates, the style sheet and the script."""


def render_page(page: Page) -> str:
    """Return a report as HTML.

    Texts are escaped twice: Jinja escapes what is HTML, and `printable` shows control characters
    and characters that change the direction of text. In addition, the page forbids the browser
    everything but its own style and its own script, which is named by its hash.

    Args:
        page: The report.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    style, script = (
        Markup((TEMPLATES / name).read_text(encoding="utf-8").strip())
        for name in ("page.css", "page.js")
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        style=style,
        script=script,
        script_hash=_content_hash(script),
        version=__version__,
    )


def script_source() -> str:
    """Return the source of the script of a report, as a Content-Security-Policy names it."""
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8").strip()
    return f"'{_content_hash(script)}'"


def _finalize(value: Any) -> Any:
    """Escape the control characters of a text. The templates' own markup stays as it is."""
    return value if isinstance(value, Markup) else printable(value, keep="\n")


def _content_hash(script: str) -> str:
    """Return the hash by which a Content-Security-Policy allows a script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
