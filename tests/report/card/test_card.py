"""Test the model card: its metadata, its texts, and what it must not contain."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from tests.support.html import parse
from tests.support.records import FIT, LABELS, fit_record
from tests.support.report_pages import BY_EPOCHS, HOSTILE, TFIDF, hostile_fit
from thawline.report.card import CARD, model_card, write_card
from thawline.report.card.card import escape, escape_around_code


def parts(**changes: Any) -> tuple[dict[str, Any], str]:
    """Return the metadata of a card and its text."""
    empty, metadata, text = model_card(fit_record(**changes)).split("---\n", 2)
    assert empty == ""
    return yaml.safe_load(metadata), text


def rendered(text: str) -> Any:
    # typographic replacements are off, and raw HTML is on, as CommonMark has it
    page = MarkdownIt("commonmark").enable("table").render(text)
    return parse(f"<html>{page}</html>")


def with_names(backbone: str, data: str) -> dict[str, Any]:
    return {
        "backbone": {"name": backbone, "sha256": "ab" * 32, "origin": None},
        "config": {"data": {"data": data}},
    }


def test_the_metadata_has_the_scores_that_the_hub_reads():
    record = fit_record(**BY_EPOCHS)
    card = ModelCard(model_card(record))
    assert card.data.library_name == "thawline"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.metrics == ["accuracy", "f1"]
    accuracy, f1 = card.data.eval_results
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", 0.8)
    assert (f1.metric_type, f1.metric_args) == ("f1", {"average": "macro"})
    assert "0.7500 to 0.8500" in accuracy.metric_name
    assert (accuracy.dataset_name, accuracy.dataset_split) == ("[reviews]", "test")


@pytest.mark.parametrize(
    ("train", "test", "split"),
    [
        ("train", "test", "test"),
        ("films", "films", "test"),  # carved out of a file
        ("train+validation", "validation", "test"),  # carved out of a split
        ("train", "unsupervised", "unsupervised"),
    ],
)
def test_test_rows_that_were_carved_out_are_of_the_split_test(train, test, split):
    data = FIT["data"]
    splits = {
        name: {"source": source, "rows": 9, "how": "as they are"}
        for name, source in {"train": train, "validation": train, "test": test}.items()
    }
    protocol = data["protocol"] | {"splits": splits}
    card = ModelCard(model_card(fit_record(data=data | {"name": "films", "protocol": protocol})))
    assert {result.dataset_split for result in card.data.eval_results} == {split}


@pytest.mark.parametrize(
    ("backbone", "base"),
    [
        ("minilm", "sentence-transformers/all-MiniLM-L6-v2"),
        ("thawline/qwen3-mini", None),
        ("FacebookAI/roberta-base", "FacebookAI/roberta-base"),
        ("bert-base-uncased", "bert-base-uncased"),
        ("/home/somebody/private/bert", None),
        ("C:\\models\\bert", None),
    ],
)
def test_the_base_model_is_a_hub_id_or_missing(backbone, base):
    metadata, _ = parts(**with_names(backbone, "a.csv"))
    assert metadata.get("base_model") == base


@pytest.mark.parametrize(
    ("data", "hub_id", "language"),
    [
        ("imdb", "stanfordnlp/imdb", "en"),
        ("thawline/reviews", None, "en"),
        ("someone/letters", "someone/letters", None),
        ("/home/somebody/private/reviews.csv", None, None),
    ],
)
def test_the_data_set_is_a_hub_id_or_missing(data, hub_id, language):
    metadata, _ = parts(**with_names("minilm", data))
    assert metadata.get("datasets") == hub_id
    assert metadata.get("language") == language


def test_a_name_that_is_a_path_here_is_no_hub_id():
    Path("imdb").mkdir()
    Path("bert").mkdir()
    metadata, _ = parts(**with_names("bert", "imdb"))
    assert not {"base_model", "datasets", "language"} & metadata.keys()


def test_no_path_of_the_machine_is_in_the_card():
    names = with_names("/home/somebody/private/bert", "/home/somebody/private/reviews.csv")
    assert "somebody" not in model_card(fit_record(**names))


def test_the_scores_the_classes_and_the_limits_are_those_of_the_record():
    _, text = parts(warnings=["few rows"])
    page = rendered(text)
    cells = [cell.text() for cell in page.all("td")]
    assert "80.0 % (75.0 to 85.0)" in cells
    assert "50.0 % (45.0 to 55.0)" in cells
    assert {"[neg]", "pos"} <= {*cells}
    limits = [item.text() for item in page.all("li")]
    assert any("512 tokens" in line for line in limits)
    assert "few rows" in limits


def test_a_card_without_a_backbone_names_none():
    metadata, text = parts(**TFIDF)
    assert "base_model" not in metadata
    assert "backbone" not in text.lower()


def test_only_the_largest_of_many_classes_are_listed():
    names = [f"class {number}" for number in range(30)]
    one = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    test = FIT["test"].to_dict() | {"per_class": [one | {"support": n} for n in range(30)]}
    _, text = parts(labels=LABELS | {"names": names, "values": list(range(30))}, test=test)
    cells = [cell.text() for cell in rendered(text).all("td")]
    assert [name for name in names if name in cells] == names[10:]


def test_hostile_texts_are_shown_and_never_interpreted():
    changes = hostile_fit() | {"labels": LABELS | {"names": [HOSTILE, "a|b\n\n# c\n- d"]}}
    metadata, text = parts(**changes)
    assert metadata["pipeline_tag"] == "text-classification"
    page = rendered(text)
    assert {one.tag for one in page.all()} <= {
        *("html", "h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td"),
        *("ul", "li", "code", "pre", "a"),
    }
    assert not list(page.all("a"))
    assert len(list(page.all("h1"))) == 1
    assert not set("\x1b\u202e") & set(model_card(fit_record(**changes)))
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    assert shown in page.text()
    for table in page.all("table"):
        columns = len(list(table.one("thead").all("th")))
        assert all(len(row.children) == columns for row in table.one("tbody").all("tr"))


@pytest.mark.parametrize(
    "text",
    [
        *("# a", "- a", "+ a", "1. a", "12) a", "=== a", "> a", "*a*", "_a_", "`a`", "[a](b)"),
        *("![a](b)", "<b>a</b>", "&lt;", "a | b", "~~a~~", "$a$", "\\", "0.001", "7.", "::: a"),
        *("http://a.example", "HTTPS://a.example", "www.a.example", "a@b.example", "www.WWW.a.b"),
    ],
)
def test_an_escaped_text_is_shown_as_it_is(text):
    page = MarkdownIt("gfm-like", {"linkify": False}).render(escape(text))
    assert parse(f"<html>{page}</html>").text().strip() == text
    assert "<a" not in page
    # The hub makes links of addresses, which begin with one of these.
    assert not any(start in escape(text).lower() for start in ("http://", "https://", "www.a"))


def test_settings_in_warnings_are_code():
    warning, finding = "`training.lr` or a_b, `strategy=last:1`", "no `data.label` below"
    preflight = FIT["preflight"] | {"findings": [finding]}
    _, text = parts(warnings=[warning], preflight=preflight)
    codes = [[code.text() for code in item.all("code")] for item in rendered(text).all("li")]
    assert [found for found in codes if found] == [
        ["training.lr", "strategy=last:1"],
        ["data.label"],
    ]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("`a`", ["a"]),
        ("1. `<b>a</b>|*c*` and <i>b</i>", ["<b>a</b>|*c*"]),
        ("# [a](b) `[c](d)` \\`e` @f", ["[c](d)", "e"]),
        ("`http://a.example` http://b.example", ["http://a.example"]),
        ("`a` `b", ["a"]),
        ("`a\\` b`", ["a\\"]),
        ("`` a` b", []),
        ("```a```", []),
        ("``a`` and `` ` ``", []),
        ("``a` b` `c`d``", ["c"]),
        ("` a ` `` and <b>", []),
    ],
)
def test_only_words_between_single_backticks_are_code(text, codes):
    page = MarkdownIt("gfm-like", {"linkify": False}).render(escape_around_code(text))
    shown = parse(f"<html>{page}</html>")
    assert [code.text() for code in shown.all("code")] == codes
    assert {one.tag for one in shown.all()} <= {"html", "p", "code"}
    plain = html.unescape(re.sub("<[^>]*>", "", page)).strip()
    assert plain.replace("`", "") == text.replace("`", "")


def test_the_card_is_written_and_replaced(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    write_card(fit_record(), folder)
    write_card(fit_record(**BY_EPOCHS), folder)
    (file,) = folder.iterdir()
    assert file.name == CARD == "README.md"
    assert file.read_text(encoding="utf-8") == model_card(fit_record(**BY_EPOCHS))
