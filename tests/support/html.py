"""Parse HTML strictly, to check the structure of reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}
"""The elements without an end tag."""

SVG_EMPTY = {"path", "use", "rect", "circle", "line"}
"""The elements of an SVG that may close themselves."""


@dataclass
class Element:
    """An element with its attributes, its children and its own texts."""

    tag: str
    attributes: dict[str, str | None]
    parent: Element | None = None
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, tag: str | None = None) -> Iterator[Element]:
        """Yield this element and the elements below it, or those with a tag."""
        if tag in (None, self.tag):
            yield self
        for child in self.children:
            yield from child.all(tag)

    def one(self, tag: str) -> Element:
        (found,) = self.all(tag)
        return found

    def text(self) -> str:
        """Return all texts in this element."""
        return "".join(text for element in self.all() for text in element.texts)

    def above(self) -> Iterator[Element]:
        parent = self.parent
        while parent is not None:
            yield parent
            parent = parent.parent

    def __getitem__(self, name: str) -> str:
        value = self.attributes[name]
        assert value is not None, f"{self.tag} has no value of {name}"
        return value


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self.open = self.root

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"{tag} has an attribute twice"
        self.open.children.append(Element(tag, dict(attrs), self.open))
        if tag not in VOID:
            self.open = self.open.children[-1]

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID | SVG_EMPTY | {"g", "defs", "clippath", "text"}, f"<{tag}/>"
        self.open.children.append(Element(tag, dict(attrs), self.open))

    def handle_endtag(self, tag):
        assert self.open.tag == tag, f"</{tag}> closes <{self.open.tag}>"
        assert self.open.parent is not None
        self.open = self.open.parent

    def handle_data(self, data):
        self.open.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def parse(text: str) -> Element:
    """Return the root of a page. Fail if an element is not closed, or in a wrong order."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert parser.open is parser.root, f"<{parser.open.tag}> is not closed"
    return parser.root.one("html")
