"""Use the web page of `serve` in Chromium: texts, files, recent results, runs and the token.

These tests need the extra ``browser`` and a Chromium, as those of `test_browser.py` do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.support.live_server import live_server
from tests.support.records import fit_record, ladder_record, rung_record, rung_run
from tests.support.report_pages import BY_EPOCHS, HISTORY
from tests.support.screens import SCREENS
from thawline import TextClassifier
from thawline.runs.layout import LADDER, RECORD
from thawline.runs.records import write_record

GOOD = "a wonderful film with a great cast, but a terrible plot"
HOSTILE = "good <img src=x onerror=alert(1)> \"quoted\" 'film' 🎬 wonderful"
NETWORK = "Failed to load resource"
"""What Chromium writes to the console for each answer with the status of an error."""


@pytest.fixture(scope="module")
def classifiers(
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
) -> dict[str, TextClassifier]:
    many = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(200))
    few = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(20, seed=3))
    return {"many": many, "few": few}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("past") / "runs"
    rungs = [rung_record("head", 0.8), rung_record("last:1", 0.84, runs=[rung_run(HISTORY)])]
    comparison = ladder_record(rungs)
    records = {
        f"compared/{LADDER}": comparison,
        f"compared/{comparison.chosen.run}/{RECORD}": fit_record(**BY_EPOCHS),
        f"<b>one & two/{RECORD}": fit_record(),
    }
    for name, record in records.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_record(file, record)
    return folder


@pytest.fixture(scope="module")
def address(classifiers: dict[str, TextClassifier], runs: Path) -> Iterator[str]:
    with serve(classifiers, runs=str(runs)) as opened:
        yield opened


def serve(classifiers: dict[str, TextClassifier], **settings: Any) -> Any:
    return live_server({name: one.fitted_ for name, one in classifiers.items()}, **settings)


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens a page. It fails on a foreign request or a message."""
    noticed: list[str] = []
    contexts = []

    def open_page(address: str, screen: str = "light", expected: Sequence[str] = ()) -> Any:
        (width, height), scheme = SCREENS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)

        def notice(text: str) -> None:
            if not any(one in text for one in expected):
                noticed.append(text)

        root = address.partition("#")[0]
        page.on("console", lambda message: notice(message.text))
        page.on("pageerror", lambda error: notice(str(error)))
        page.on("dialog", lambda dialog: notice(dialog.message))
        page.on(
            "request",
            lambda sent: sent.url.startswith((root, f"blob:{root}")) or notice(sent.url),
        )
        page.goto(address)
        page.locator("#view h1:visible").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert noticed == []


def classify(page: Any, text: str, cards: int = 2) -> None:
    page.fill("#text-input", text)
    page.get_by_role("button", name="Classify").click()
    page.locator(".explanation").nth(cards - 1).wait_for()


class TestText:
    def test_two_classifiers_side_by_side(
        self, opened: Any, address: str, classifiers: dict[str, TextClassifier]
    ) -> None:
        page = opened(address)
        classify(page, GOOD)
        for name, classifier in classifiers.items():
            card = page.get_by_role("article", name=name)
            share = classifier.predict_proba([GOOD])[0]
            assert card.locator(".answer-label").inner_text() == ("neg", "pos")[share.argmax()]
            assert card.locator(".answer-share").inner_text() == f"{100 * share.max():.1f} %"
            assert card.locator(".bars li").count() == 2
            assert card.locator(".marked").inner_text() == GOOD
        boxes = [page.get_by_role("article", name=name).bounding_box() for name in classifiers]
        assert boxes[0]["y"] == boxes[1]["y"]
        page.get_by_role("checkbox", name="few").uncheck()
        classify(page, GOOD, cards=1)
        assert page.locator(".card").count() == 1
        page.reload()
        assert not page.get_by_role("checkbox", name="few").is_checked()  # it is remembered

    def test_the_words_that_decided_are_marked(
        self, opened: Any, address: str, classifiers: dict[str, TextClassifier]
    ) -> None:
        page = opened(address)
        classify(page, GOOD)
        card = page.get_by_role("article", name="many")
        label = card.locator(".answer-label").inner_text()
        position = ("neg", "pos").index(label)
        parts = classifiers["many"].explain(GOOD, classifiers["many"].classes_[position])
        most = max(parts, key=lambda part: part.score)
        least = min(parts, key=lambda part: part.score)
        assert most.text in card.locator(".marked .word.for").all_inner_texts()
        assert least.text in card.locator(".marked .word.against").all_inner_texts()
        card.locator("summary").click()
        assert card.locator("tbody th").first.inner_text() == most.text

    def test_words_are_not_asked_for_unless_wanted(self, opened: Any, address: str) -> None:
        page = opened(address)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url))
        page.get_by_role("checkbox", name="Mark the words").uncheck()
        page.fill("#text-input", GOOD)
        page.get_by_role("button", name="Classify").click()
        page.locator(".card").nth(1).wait_for()
        assert not [url for url in sent if url.endswith("explain")]

    def test_a_text_stays_a_text(self, opened: Any, address: str) -> None:
        page = opened(address)
        classify(page, HOSTILE)
        assert page.locator(".marked").first.inner_text() == HOSTILE
        page.click("a[href='#recent']")
        assert page.locator(".entry-text").inner_text() == HOSTILE
        assert page.locator("img").count() == 0

    def test_the_keyboard_is_enough(self, opened: Any, address: str) -> None:
        page = opened(address)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for _ in range(6):  # the four views, the text
            page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") != "text-input":
            page.keyboard.press("Shift+Tab")
        page.keyboard.type(GOOD)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")  # leaves out the second classifier
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator(".explanation").wait_for()
        assert page.get_by_role("article").count() == 1
        assert page.locator("#announcement").inner_text() != ""

    def test_pairs_have_a_second_text(
        self, opened: Any, classifiers: dict[str, TextClassifier]
    ) -> None:
        kinds = [("good film", "great cast"), ("dull film", "awful plot")] * 20
        sides = [(f"{first} {row}", second) for row, (first, second) in enumerate(kinds)]
        pairs = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(sides, [1, 0] * 20)
        with serve({"one": classifiers["many"], "two": pairs}) as address:
            page = opened(address)
            page.fill("#second-input", "awful plot")
            page.fill("#text-input", "dull film")
            page.get_by_role("button", name="Classify").click()
            page.locator(".explanation").wait_for()
            card = page.get_by_role("article", name="two")
            assert card.locator(".answer-label").inner_text() == "neg"
            assert card.locator(".explanation").count() == 0
            page.get_by_role("checkbox", name="two").uncheck()
            assert page.locator("#second-input").is_hidden()
            page.goto(f"{address}#file")
            rows = [["premise", "hypothesis"], ["good film", "great cast"], ["dull film", ""]]
            page.set_input_files("input[type=file]", as_file("a.csv", table_of(rows)))
            page.get_by_role("checkbox", name="two").check()
            page.locator("#column").select_option("premise")
            page.locator("#second-column").select_option("hypothesis")
            page.get_by_role("button", name="Label 2 rows").click()
            _, found = downloaded(page)
            expected = pairs.predict_proba([("good film", "great cast"), ("dull film", "")])
            place = found[0].index("two_probability_pos")
            assert [float(row[place]) for row in found[1:]] == pytest.approx(
                list(expected[:, 1]), abs=1e-6
            )

    def test_many_classes_are_folded(self, opened: Any, address: str) -> None:
        page = opened(address)
        shown, folded = page.evaluate(
            "async () => { const { makeBars } = await import('/page/result.js');"
            "const shares = Object.fromEntries([...Array(20).keys()].map((i) => [`c${i}`, 0.05]));"
            "const bars = makeBars(shares);"
            "return [bars.firstChild.children.length, bars.querySelector('summary').innerText]; }"
        )
        assert shown == 6
        assert folded.startswith("14 ")

    def test_an_answer_that_is_an_error_is_shown(self, opened: Any, address: str) -> None:
        page = opened(address, expected=[NETWORK])
        answer = {"status": 503, "json": {"detail": "the server is stopping"}}
        page.route("**/predict", lambda route: route.fulfill(**answer))
        page.fill("#text-input", GOOD)
        page.keyboard.press("Control+Enter")
        page.locator(".summary.refused").wait_for()
        assert "stopping" in page.locator(".summary").inner_text()


def as_file(name: str, content: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/csv", "buffer": content.encode()}


def downloaded(page: Any) -> tuple[str, list[list[str]]]:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    name = waiting.value.suggested_filename
    content = Path(waiting.value.path()).read_text(encoding="utf-8")
    delimiter = "\t" if name.endswith(".tsv") else ","
    return name, list(csv.reader(io.StringIO(content), delimiter=delimiter))


def table_of(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter).writerows(rows)
    return content.getvalue()


class TestFile:
    def test_a_dropped_file_comes_back_with_labels(
        self, opened: Any, address: str, classifiers: dict[str, TextClassifier]
    ) -> None:
        texts = [GOOD, 'a "terrible", dull\nfilm', "", "great", HOSTILE, "=1+1 awful"]
        rows = [["id", "review"], *([str(number), text] for number, text in enumerate(texts))]
        page = opened(f"{address}#file")
        data = page.evaluate_handle(
            "content => { const data = new DataTransfer();"
            "data.items.add(new File([content], 'films.csv')); return data; }",
            table_of(rows),
        )
        page.dispatch_event(".drop", "drop", {"dataTransfer": data})
        assert page.locator("#column option:checked").inner_text() == "review"
        page.get_by_role("button", name="Label 6 rows").click()
        name, found = downloaded(page)
        assert name == "films.labelled.csv"
        assert [row[:2] for row in found] == rows
        assert found[0][2:] == [
            f"{model}_{column}"
            for model in classifiers
            for column in ("predicted_label", "probability_neg", "probability_pos")
        ]
        shares = classifiers["many"].predict_proba(texts)
        for number, row in enumerate(found[1:]):
            if texts[number]:
                assert float(row[3]) == pytest.approx(shares[number, 0], abs=1e-6)
                assert row[2] == ("neg", "pos")[shares[number].argmax()]
            else:
                assert row[2:] == [""] * 6
        assert "1 row " in page.locator(".work .note").first.inner_text()

    def test_pasted_lines_and_cells_like_formulas(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#file")
        page.locator("summary", has_text="Paste lines").click()
        page.fill("#lines-input", "=great film\n\na dull one\n")
        page.get_by_role("button", name="Use these lines").click()
        page.get_by_role("checkbox", name="formula").check()
        page.get_by_role("button", name="Label 2 rows").click()
        _, found = downloaded(page)
        assert [row[0] for row in found] == ["text", "'=great film", "a dull one"]

    def test_a_byte_order_mark_is_kept(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#file")
        content = "\ufeff" + table_of([["text", "id"], ["great film", "1"]], ";")
        page.set_input_files("input[type=file]", as_file("a.csv", content))
        assert page.locator("#column option").all_inner_texts() == ["text", "id"]
        page.get_by_role("button", name="Label 1 row").click()
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Download").click()
        written = Path(waiting.value.path()).read_text(encoding="utf-8")
        assert written.startswith("\ufefftext;id;many_predicted_label;")

    def test_a_cancelled_job_gives_its_rows_and_continues(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#file")
        asked: list[int] = []

        def answer(route: Any) -> None:
            asked.append(len(route.request.post_data_json["texts"]))
            if len(asked) != 2:  # the second request is never answered
                route.continue_()

        page.route("**/predict", answer)
        texts = [f"great film {number}" for number in range(60)]
        page.set_input_files("input[type=file]", as_file("films.txt", "\n".join(texts)))
        page.get_by_role("button", name="Label 60 rows").click()
        page.locator(".progress-words", has_text="of 60 rows").wait_for()
        page.get_by_role("button", name="Cancel").click()
        _, found = downloaded(page)
        assert [row[0] for row in found[1:]] == texts[: asked[0]]
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("heading", name="60 rows labelled").wait_for()
        _, found = downloaded(page)
        assert [row[0] for row in found[1:]] == texts
        assert all(row[1] for row in found)

    def test_a_busy_server_is_asked_again(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#file", expected=[NETWORK])
        asked: list[int] = []

        def answer(route: Any) -> None:
            asked.append(len(route.request.post_data_json["texts"]))
            if len(asked) == 2:
                route.fulfill(status=429, headers={"retry-after": "1"}, json={"detail": "full"})
            elif len(asked) == 4:
                route.fulfill(status=413, json={"detail": "too large"})
            else:
                route.continue_()

        page.route("**/predict", answer)
        texts = [f"great film {number}" for number in range(90)]
        page.set_input_files("input[type=file]", as_file("films.txt", "\n".join(texts)))
        page.get_by_role("button", name="Label 90 rows").click()
        _, found = downloaded(page)
        assert [row[0] for row in found[1:]] == texts
        assert asked[2] < asked[1]
        assert asked[4] < asked[3]

    def test_requests_stay_within_the_limits(
        self, opened: Any, classifiers: dict[str, TextClassifier]
    ) -> None:
        limits = {"max_texts": 5, "max_body": 2_000, "max_characters": 600}
        texts = ["great " * 60, "x" * 601, *(f"dull film {number}" for number in range(20))]
        with serve(classifiers, **limits) as address:
            page = opened(f"{address}#file")
            sent = []
            page.on("request", lambda request: sent.append(request))
            page.set_input_files("input[type=file]", as_file("films.txt", "\n".join(texts)))
            page.get_by_role("button", name="Label 22 rows").click()
            _, found = downloaded(page)
            bodies = [one.post_data_buffer for one in sent if one.url.endswith("predict")]
            assert max(map(len, bodies)) <= 2_000
            assert [bool(row[1]) for row in found[1:]] == [True, False, *[True] * 20]

    @pytest.mark.parametrize(
        "file",
        [
            {"name": "a.csv", "mimeType": "text/csv", "buffer": b"text\n\xff\xfe\xff"},
            {"name": "empty.csv", "mimeType": "text/csv", "buffer": b"\n\n"},
        ],
    )
    def test_a_file_that_cannot_be_read(self, opened: Any, address: str, file: Any) -> None:
        page = opened(f"{address}#file")
        page.set_input_files("input[type=file]", file)
        page.locator("[role=alert] .refused").wait_for()
        assert page.locator(".setup").is_hidden()

    def test_tables_are_read_and_written_like_python_does(self, opened: Any, address: str) -> None:
        page = opened(address)
        tables = [
            [["a", "b"], ['x "y"', "1,2"], ["line\nbreak", "end"]],
            [["", "b", ""], ["\r\n", '"', '""'], ["'", "\t;", " space "]],
            [["ünï", "🎬"], ["a", ""]],
        ]
        for delimiter in (",", ";", "\t"):
            for table in tables:
                content = table_of(table, delimiter)
                read, written = page.evaluate(
                    "async ([content, delimiter]) => {"
                    "const { parse, write } = await import('/page/csv.js');"
                    "const rows = parse(content, delimiter);"
                    "return [rows, write(rows, delimiter, false)]; }",
                    [content, delimiter],
                )
                assert read == table
                again = csv.reader(io.StringIO(written, newline=""), delimiter=delimiter)
                assert list(again) == table


class TestRecent:
    def test_results_are_kept_and_can_be_removed(self, opened: Any, address: str) -> None:
        page = opened(address)
        classify(page, GOOD)
        classify(page, "a dull film")
        page.goto(f"{address}#recent")
        page.reload()
        assert page.locator(".entry-text").all_inner_texts() == ["a dull film", GOOD]
        page.get_by_role("button", name="Use this text").nth(1).click()
        assert page.input_value("#text-input") == GOOD
        page.click("a[href='#recent']")
        page.get_by_role("button", name="Remove").first.click()
        assert page.locator(".entry-text").all_inner_texts() == [GOOD]
        page.get_by_role("button", name="Clear all").click()
        assert page.locator(".entry").count() == 0
        page.get_by_role("button", name="Undo").click()
        assert page.locator(".entry").count() == 1
        page.get_by_role("button", name="Clear all").click()
        page.reload()
        page.locator("#view h1:visible").wait_for()
        assert page.locator(".entry").count() == 0
        page.get_by_role("checkbox", name="Keep the results").uncheck()
        page.click("a[href='#text']")
        classify(page, GOOD)
        page.click("a[href='#recent']")
        assert page.locator(".entry").count() == 0


class TestRuns:
    def test_a_run_is_shown_with_its_report(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#runs")
        table = page.locator("tbody th a")
        table.first.wait_for()
        assert sorted(table.all_inner_texts()) == ["<b>one & two", "compared"]
        page.fill("#runs-filter", "head")
        page.fill("#runs-filter", "one &")
        assert table.all_inner_texts() == ["<b>one & two"]
        page.fill("#runs-filter", "")
        page.get_by_role("link", name="compared").focus()
        page.keyboard.press("Enter")
        frame = page.frame_locator("iframe")
        frame.locator("svg").first.wait_for()
        assert frame.locator("#strategies table").first.locator("tbody tr").count() == 2
        frame.locator("#strategies th button").first.click()  # its own script runs
        page.locator("summary", has_text="Its 1 run").click()
        page.locator(".opened a").click()
        page.get_by_role("link", name="compared", exact=True).wait_for()
        page.locator("iframe").wait_for()

    def test_a_report_cannot_read_what_the_page_keeps(self, opened: Any, address: str) -> None:
        page = opened(f"{address}#runs/compared")
        page.frame_locator("iframe").locator("h1").wait_for()
        (frame,) = [one for one in page.frames if "/runs/report" in one.url]
        assert frame.evaluate("self.origin") == "null"
        read = "try { localStorage.length; 'read' } catch { 'refused' }"
        assert frame.evaluate(read) == "refused"

    def test_without_a_folder(self, opened: Any, classifiers: dict[str, TextClassifier]) -> None:
        with serve(classifiers) as address:
            page = opened(f"{address}#runs")
            assert "--runs" in page.locator("#view code").inner_text()


def test_the_token_is_asked_for(
    opened: Any, classifiers: dict[str, TextClassifier], runs: Path, browser: Any
) -> None:
    with serve(classifiers, token="secret", runs=str(runs)) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.locator("#token[open]").wait_for()
        page.fill("#token-value", "wrong")
        page.keyboard.press("Enter")
        page.locator("#token-problem:not(:empty)").wait_for()
        page.fill("#token-value", "secret")
        page.keyboard.press("Enter")
        page.locator("#text-input").wait_for()
        classify(page, GOOD)
        page.goto(f"{address}#runs/compared")
        page.frame_locator("iframe").locator("h1").wait_for()
        page.reload()
        page.locator("#view h1:visible").wait_for()
        assert page.evaluate("localStorage.getItem('thawline.token')") is None
        page.get_by_role("button", name="Forget the token").click()
        page.locator("#token[open]").wait_for()
        assert page.evaluate("sessionStorage.length") == 0
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Try again").wait_for()
        context.close()


@pytest.mark.parametrize("screen", ["light", "narrow and dark"])
def test_axe_finds_no_violation_and_the_page_fits_the_screen(
    opened: Any, address: str, screen: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(address, screen)

    def check() -> None:
        page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1]

    classify(page, f"{GOOD} {'x' * 200}")
    check()
    page.goto(f"{address}#recent")
    check()
    page.goto(f"{address}#file")
    page.set_input_files(
        "input[type=file]", as_file("a.csv", table_of([["id", "text"], ["1", GOOD]]))
    )
    page.locator(".setup h2").wait_for()
    check()
    page.get_by_role("button", name="Label 1 row").click()
    page.get_by_role("link", name="Download").wait_for()
    check()
    page.goto(f"{address}#runs")
    page.locator("tbody").wait_for()
    check()
    page.goto(f"{address}#runs/compared")
    page.frame_locator("iframe").locator("svg").first.wait_for()
    check()


def test_a_dark_screen_gets_dark_colours(opened: Any, address: str) -> None:
    def colours(screen: str) -> list[str]:
        page = opened(address, screen)
        names = ["body", "textarea", "button.primary", ".top", ".choice"]
        style = "one => { const s = getComputedStyle(one); return s.backgroundColor + s.color; }"
        return [page.locator(name).first.evaluate(style) for name in names]

    for light, dark in zip(colours("light"), colours("dark"), strict=True):
        assert light != dark
