"""Test that reports are sound HTML, need no network and can be read by everybody."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import pytest

from tests.support.html import Element, parse
from tests.support.records import rung_record, rung_run
from tests.support.report_pages import HISTORY, HOSTILE, PAGES, compared


@cache
def source(name: str) -> str:
    return PAGES[name]()


@cache
def page(name: str) -> Element:
    return parse(source(name))


@pytest.fixture(params=PAGES)
def root(request) -> Element:
    return page(request.param)


def test_a_page_has_a_language_a_title_one_heading_and_its_landmarks(root):
    assert root["lang"] == "en"
    assert root.one("title").text().strip()
    assert root.one("h1").text().strip()
    for tag in ("main", "nav", "header", "footer"):
        root.one(tag)
    assert all(section.one("h2").text().strip() for section in root.all("section"))


def test_ids_are_unique_and_links_within_the_page_have_targets(root):
    ids = [element["id"] for element in root.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    named = re.findall(r"url\(#([^)]+)\)", " ".join(map(str, every_value(root))))
    links = [element["href"] for element in root.all() if "href" in element.attributes]
    inside = [link.removeprefix("#") for link in links if link.startswith("#")]
    assert inside
    assert {*inside, *named} <= {*ids}


def test_nothing_is_loaded_from_elsewhere(root):
    for element in root.all():
        for name in ("href", "src", "srcset", "data", "action", "xlink:href", "poster"):
            value = element.attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", (element.tag, value)
    assert not list(root.all("iframe"))
    styles = " ".join([root.one("style").text(), *every_value(root)])
    assert "@import" not in styles
    assert not re.search(r"url\((?!#)", styles)
    policy = next(one for one in root.all("meta") if "http-equiv" in one.attributes)["content"]
    assert "default-src 'none'" in policy


def every_value(root: Element) -> list[str]:
    return [
        value or "" for one in root.all() if one.tag != "meta" for value in one.attributes.values()
    ]


def test_the_policy_allows_the_script_of_the_page_and_no_other(root):
    digest = hashlib.sha256(root.one("script").text().encode()).digest()
    policy = next(one for one in root.all("meta") if "http-equiv" in one.attributes)["content"]
    (allowed,) = re.findall(r"script-src ([^;]+);", policy)
    assert allowed == f"'sha256-{base64.b64encode(digest).decode()}'"


def test_every_plot_has_a_text_alternative_and_a_caption(root):
    plots = list(root.all("svg"))
    assert plots
    for plot in plots:
        assert plot["role"] == "img"
        assert len(plot["aria-label"]) > 30
        figure = next(one for one in plot.above() if one.tag == "figure")
        assert figure.one("figcaption").text().strip()


def test_the_colours_of_plots_are_variables_that_the_page_defines(root):
    style = root.one("style").text()
    for plot in root.all("svg"):
        drawn = " ".join(one.attributes.get("style") or "" for one in plot.all())
        assert not re.search(r"#[0-9a-f]{3}", drawn)
        assert "font-family" not in drawn
        for name in re.findall(r"var\((--plot-[a-z]+)\)", drawn):
            light, dark = re.findall(rf"{name}: #[0-9a-f]{{6}};", style)
            assert light != dark


def test_every_table_has_a_caption_and_headings(root):
    for table in root.all("table"):
        assert table.one("caption").text().strip()
        columns = list(table.one("thead").all("th"))
        assert all(column["scope"] == "col" and column.text().strip() for column in columns)
        for row in table.one("tbody").all("tr"):
            first, *others = row.children
            assert (first.tag, first["scope"]) == ("th", "row")
            assert len(others) + 1 == len(columns)


def test_what_scrolls_can_be_reached_with_the_keyboard(root):
    for element in root.all():
        classes = (element.attributes.get("class") or "").split()
        if "scroll" in classes or element.tag == "pre":
            assert element["tabindex"] == "0"
            assert element.tag == "pre" or element["aria-label"].strip()


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("hostile")])
def test_texts_are_shown_and_never_interpreted(name):
    root = page(name)
    assert not list(root.all("img"))
    assert len(list(root.all("script"))) == 1
    assert len(list(root.all("style"))) == 1
    assert not [key for one in root.all() for key in one.attributes if key.startswith("on")]
    assert not set("\x1b\u202e") & set(source(name))
    assert "49" not in root.one("h1").text()
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert root.text().count(shown) > 8
    captions = [one["aria-label"] for one in root.all("svg")]
    assert name == "hostile fit" or any(shown in caption for caption in captions)


@pytest.mark.parametrize("name", ["30 classes", "120 classes"])
def test_many_classes_are_listed_by_their_confusions(name):
    (section,) = [one for one in page(name).all("section") if one["id"] == "classes"]
    confusions, every = (
        list(table.one("tbody").all("tr")) for table in list(section.all("table"))[:2]
    )
    assert len(confusions) == 20
    assert [cell.text() for cell in confusions[0].children[:3]] == ["class 0", "class 1", "5"]
    assert len(every) == int(name.split()[0])
    assert "-" in every[-1].children[1].text()


def test_a_run_that_stands_for_all_seeds_counts_once():
    made = [
        rung_record("head", runs=[rung_run([]), rung_run([]).model_copy(update={"seed": 1})]),
        rung_record("last:1", runs=[rung_run(HISTORY, seed) for seed in (2, 3)]),
    ]
    root = parse(compared(made))
    counts = {}
    for table in root.all("table"):
        headings = [one.text().strip() for one in table.one("thead").all("th")]
        if "Runs" in headings:
            rows = [[cell.text().strip() for cell in row.children] for row in table.all("tr")]
            counts |= {row[0]: row[headings.index("Runs")] for row in rows[1:]}
    assert list(counts.values()) == ["1", "2"]
    commands = [line for one in root.all("pre") for line in one.text().splitlines()]
    assert sum(line.startswith("thawline fit ") for line in commands) == 3


INKS = ("ink", "muted", "accent", "good", "caution", "bad")
PLOT_INKS = ("ink", "faint", "blue", "orange", "green", "purple", "olive")
PAIRS = [
    *((ink, ground) for ink in INKS for ground in ("page", "surface")),
    *((tone, f"{tone}-surface") for tone in ("good", "caution", "bad")),
    *(("ink", f"{tone}-surface") for tone in ("good", "caution", "bad")),
    *((f"plot-{ink}", "plot-paper") for ink in PLOT_INKS),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast_in_both_colour_schemes(scheme):
    light, _, dark = page("comparison").one("style").text().partition("prefers-color-scheme: dark")
    found = re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", light if scheme == "light" else dark)
    colours = {name: luminance(value) for name, value in found}
    for ink, ground in PAIRS:
        bright, dim = sorted((colours[ink], colours[ground]), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * s for w, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_parser_of_these_tests_refuses_what_is_not_closed():
    for wrong in ("<html><p></html>", "<html><b><i></b></i></html>", "<html>"):
        with pytest.raises(AssertionError):
            parse(wrong)
