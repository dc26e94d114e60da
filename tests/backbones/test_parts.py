from __future__ import annotations

import pytest
from safetensors import SafetensorError

from thawline.backbones.parts import CONFIG, TOKENIZER, WEIGHTS, fault

NO_WORDS = ValueError("this cannot be\nread")


@pytest.fixture
def model(tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_a_missing_part_is_named_if_it_was_read(model):
    (model / "model.safetensors").unlink()
    (model / "tokenizer.json").unlink()
    assert fault(model, NO_WORDS, CONFIG) == "this cannot be"
    assert fault(model, NO_WORDS, CONFIG, WEIGHTS) == "no model.safetensors"
    assert fault(model, NO_WORDS, TOKENIZER, WEIGHTS) == "no tokenizer.json"


@pytest.mark.parametrize(
    ("parts", "other"), [(WEIGHTS, "model.safetensors.index.json"), (TOKENIZER, "vocab.txt")]
)
def test_a_part_may_have_other_names(model, parts, other):
    (model / parts[0]).rename(model / other)
    assert fault(model, NO_WORDS, parts) == "this cannot be"


def test_a_pickle_in_place_of_the_weights_is_named(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    assert fault(model, NO_WORDS, WEIGHTS) == (
        "no model.safetensors, only pytorch_model.bin, a pickle"
    )


def test_a_file_that_breaks_off_is_named(model):
    (model / "tokenizer.json").write_text('{"version":')
    assert fault(model, NO_WORDS, CONFIG).startswith("a damaged tokenizer.json (Expecting value: ")
    (model / "config.json").write_bytes(b'"\xff"')
    assert fault(model, NO_WORDS, CONFIG).startswith("a damaged config.json ('utf-8' codec")


def test_damaged_weights_and_code_are_told_in_words_of_our_own(model):
    assert fault(model, SafetensorError("too small"), WEIGHTS) == "damaged weights (too small)"
    assert fault(model, ValueError("It has custom code to run."), CONFIG) == (
        "one that brings code of its own, which is never run"
    )
