"""Test that the libraries around the model hub are silent."""

from __future__ import annotations

from thawline.runtime import hub


def test_quieten_transformers():
    from transformers.utils import logging

    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    try:
        logging.set_verbosity_info()
        logging.enable_progress_bar()
        hub.quieten_transformers()
        assert logging.get_verbosity() == logging.ERROR
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.set_verbosity(before)
        (logging.enable_progress_bar if bar else logging.disable_progress_bar)()
