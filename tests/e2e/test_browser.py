"""Open reports in Chromium: light and dark, wide and narrow, with axe-core and the keyboard.

These tests need the extra ``browser`` and a Chromium, for example Debian's package ``chromium`` or
``playwright install chromium``. Without them, they are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.report_pages import PAGES
from tests.support.screens import SCREENS


@pytest.fixture
def opened(browser, tmp_path) -> Iterator[Any]:
    """Return a function that opens a page on a screen. It fails on a request or a message."""
    noticed: list[str] = []
    contexts = []

    def open_page(name: str, screen: str) -> Any:
        (width, height), scheme = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        file = tmp_path / "report.html"
        file.write_text(PAGES[name](), encoding="utf-8")
        page = context.new_page()
        address = file.as_uri()
        page.on("console", lambda message: noticed.append(message.text))
        page.on("pageerror", lambda error: noticed.append(str(error)))
        page.on("dialog", lambda dialog: noticed.append(dialog.message))
        page.on("request", lambda sent: sent.url != address and noticed.append(sent.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noticed == []


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", ["fit by epochs", "comparison", "hostile comparison"])
def test_axe_finds_no_violation_and_the_page_fits_the_screen(name, screen, opened):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(name, screen)
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


def test_the_keyboard_sorts_a_table_and_missing_values_come_last(opened):
    page = opened("comparison", "light")
    table = page.locator("#strategies table").first

    def names() -> list[str]:
        return [text.split("\n")[0] for text in table.locator("tbody th").all_inner_texts()]

    assert names() == ["head", "last:1", "full"]
    heading = table.locator("thead th").nth(1)
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert (names(), heading.get_attribute("aria-sort")) == (
        ["head", "last:1", "full"],
        "ascending",
    )
    page.keyboard.press("Space")
    assert names() == ["full", "last:1", "head"]
    assert heading.get_attribute("aria-sort") == "descending"
    assert "Accuracy" in page.locator("#announcement").inner_text()
    table.locator("thead th").nth(0).locator("button").click()
    assert names() == ["full", "head", "last:1"]
    assert heading.get_attribute("aria-sort") is None


def test_a_dark_screen_gets_dark_colours_in_page_and_plots(opened):
    def colours(screen: str) -> list[str]:
        page = opened("comparison", screen)
        computed = "all => all.map(one => getComputedStyle(one).{})"
        ground = page.eval_on_selector_all("body", computed.format("backgroundColor"))
        return ground + page.eval_on_selector_all("svg text", computed.format("fill"))

    light, dark = colours("light"), colours("dark")
    assert len(light) == len(dark)
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_printing_opens_all_details(opened):
    page = opened("comparison", "light")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
