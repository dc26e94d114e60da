"""What is read of a run's folder at the upper end of the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from thawline.runs.layout import read_whole_record


@pytest.mark.parametrize("damaged", ['{"status": "fin', "[]", ""])
def test_a_record_that_breaks_off_or_is_none_is_empty(damaged):
    assert read_whole_record(Path()) == {}
    Path("record.json").write_text(damaged)
    assert read_whole_record(Path()) == {}
    Path("record.json").write_text('{"status": "finished"}')
    assert read_whole_record(Path()) == {"status": "finished"}
