"""An update of a page keeps what the page leaves out."""

from __future__ import annotations

from tests.support.page_updates import update_output

PRINTED = (
    "reading 60 texts\nfirst step\nsecond step\naccuracy  81.5 %\nproof  a fresh process agrees\n"
)


def test_changed_lines_are_replaced_and_omitted_ones_stay_omitted():
    shown = "reading 50 texts\n…\naccuracy  81.4 %\nproof  a new process agrees"
    wanted = "reading 60 texts\n…\naccuracy  81.5 %\nproof  a fresh process agrees"
    assert update_output(shown, PRINTED) == wanted


def test_new_lines_are_shown_where_nothing_was_omitted():
    shown = "reading 60 texts\nfirst step\naccuracy  81.5 %\n…"
    assert update_output(shown, PRINTED) == "\n".join([*PRINTED.splitlines()[:4], "…"])


def test_a_line_that_was_cut_is_cut_again():
    assert update_output("…\nproof  a new pro…", PRINTED) == "…\nproof  a fresh p…"


def test_lines_that_are_no_longer_printed_go():
    assert update_output("something else entirely\n…", PRINTED) == "…"
