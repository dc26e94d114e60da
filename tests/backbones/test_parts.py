from __future__ import annotations

import pytest
from safetensors import SafetensorError

from thawline.backbones.parts import CONFIG, TOKENIZER, WEIGHTS, describe_read_error

NO_WORDS = ValueError("this cannot be\nread")


@pytest.fixture
def model(tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_a_missing_part_is_named_if_it_was_read(model):
    (model / "model.safetensors").unlink()
    (model / "tokenizer.json").unlink()
    assert describe_read_error(model, NO_WORDS, CONFIG) == "this cannot be"
    assert "model.safetensors" in describe_read_error(model, NO_WORDS, CONFIG, WEIGHTS)
    assert "tokenizer.json" in describe_read_error(model, NO_WORDS, TOKENIZER, WEIGHTS)


@pytest.mark.parametrize(
    ("parts", "other"), [(WEIGHTS, "model.safetensors.index.json"), (TOKENIZER, "vocab.txt")]
)
def test_a_part_may_have_other_names(model, parts, other):
    (model / parts[0]).rename(model / other)
    assert describe_read_error(model, NO_WORDS, parts) == "this cannot be"


def test_a_pickle_in_place_of_the_weights_is_named(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    found = describe_read_error(model, NO_WORDS, WEIGHTS)
    assert all(name in found for name in ("model.safetensors", "pytorch_model.bin"))


def test_a_damaged_file_is_named(model):
    (model / "tokenizer.json").write_text('{"version":')
    found = describe_read_error(model, NO_WORDS, CONFIG)
    assert all(part in found for part in ("tokenizer.json", "Expecting value: "))
    (model / "config.json").write_bytes(b'"\xff"')
    found = describe_read_error(model, NO_WORDS, CONFIG)
    assert all(part in found for part in ("config.json", "'utf-8' codec"))


def test_damaged_weights_and_custom_code_are_explained(model):
    found = describe_read_error(model, SafetensorError("too small"), WEIGHTS)
    assert all(part in found for part in ("weights", "too small"))
    found = describe_read_error(model, ValueError("It has custom code to run."), CONFIG)
    assert "Python code" in found
