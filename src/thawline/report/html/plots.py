"""Put the figures that matplotlib draws into a page: the same drawing, in the page's colours."""

from __future__ import annotations

import re
from itertools import count
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure

from thawline.errors import printable
from thawline.report.figures import PALETTE, svg_text
from thawline.report.html.blocks import Plot

_XLINK = "{http://www.w3.org/1999/xlink}href"
_NAMESPACE = re.compile(r"\{[^}]*\}")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_FONT = re.compile(r"font-family: [^;]*(; )?")
_NAMES = {colour: name for name, colour in PALETTE.items()}


class Plots:
    """Make the plots of one page, whose ids must differ."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def plot(self, figure: Figure, label: str, caption: str, *, wide: bool = True) -> Plot:
        """Return a figure as a plot of the page.

        Args:
            figure: The figure, without a title of its own.
            label: The text alternative.
            caption: What to see in the plot, and how to read it.
            wide: Whether the plot scrolls on a small screen.
        """
        prefix, label = f"plot{next(self._numbers)}-", printable(label)
        return Plot(inline_svg(svg_text(figure), label, prefix), label, caption, wide)


def inline_svg(svg: str, label: str, prefix: str) -> Markup:
    """Return an SVG file of matplotlib as an element of a page.

    Colours of the palette become variables of the page's style sheet, so that they follow the
    reader's colour scheme. The text is set in the font of the page.

    Args:
        svg: The text of the file.
        label: The text alternative.
        prefix: The start of all ids, which must differ from those of other plots.
    """
    root = ElementTree.fromstring(svg)
    parents = {child: parent for parent in root.iter() for child in parent}
    for element in list(root.iter()):
        name = _NAMESPACE.sub("", str(element.tag))
        if name in ("metadata", "style"):
            parents[element].remove(element)
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))
    for element in root.iter():
        element.tag = _NAMESPACE.sub("", str(element.tag))
        _adapt(element, used, prefix)
    view = root.attrib["viewBox"]
    width = float(view.split()[2])
    root.attrib = {
        "viewBox": view,
        "role": "img",
        "aria-label": label,
        "class": "drawing",
        "style": f"--natural-width: {width:.0f}px",
    }
    text = ElementTree.tostring(root, encoding="unicode")
    return Markup(re.sub(r"\s*\n\s*", " ", text))


def _adapt(element: ElementTree.Element, used: set[str], prefix: str) -> None:
    """Adapt the attributes of an element of an SVG to the page."""
    attributes = element.attrib
    link = attributes.pop(_XLINK, None)
    if link is not None:
        attributes["href"] = f"#{prefix}{link.removeprefix('#')}"
    name = attributes.pop("id", None)
    if name in used:
        attributes["id"] = f"{prefix}{name}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{prefix}")
    if "style" in attributes:
        style = _COLOUR.sub(_variable, attributes["style"])
        attributes["style"] = _FONT.sub("", style)


def _variable(colour: re.Match[str]) -> str:
    name = _NAMES.get(colour[0])
    return colour[0] if name is None else f"var(--plot-{name})"
