"""An encoder that is built for a fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.toys import WORDS
from thawline.backbones.glove.build import build_encoder
from thawline.backbones.opening import open_backbone
from thawline.backbones.vectors import find_vectors
from thawline.config import Config, EncoderConfig, TokensConfig
from thawline.errors import ThawlineError
from thawline.runtime.progress import Reporter

SMALL = {"width": 16, "heads": 2, "feed_forward": 32, "frequent_words": 7, "min_count": 1}
TEXTS = ["the film was dull", "the plot was good , so good"]


def config(vectors, seed=0, tokens=None, **settings) -> Config:
    encoder = EncoderConfig(**({"vectors": str(vectors)} | SMALL | settings))
    tokens = TokensConfig() if tokens is None else tokens
    return Config(backbone="glove", seed=seed, encoder=encoder, tokens=tokens)


class Notes(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def test_words_have_their_vectors_and_the_others_are_random(vectors):
    made = build_encoder(config(vectors), TEXTS, Reporter())
    table = made.stack.model.embeddings.words.weight.detach().numpy()
    ids, given = made.tokenizer.get_vocab(), find_vectors(str(vectors), Reporter())
    rows = given.rows()
    for word in ("the", "good", "zebra"):
        np.testing.assert_array_equal(table[ids[word]], given.matrix[rows[word]])
    known = [table[row] for word, row in ids.items() if word in rows]
    np.testing.assert_allclose(table[ids["[UNK]"]], np.mean(known, 0), rtol=0, atol=1e-6)
    assert not table[ids["[PAD]"]].any()
    assert 0 < np.abs(table[ids["dull"]]).max() < 3
    assert made.stack.model.config.pad_token_id == made.tokenizer.pad_token_id == 0


def test_words_and_coverage_are_recorded_and_reported(vectors):
    notes = Notes()
    built_from = build_encoder(config(vectors), TEXTS, notes).built_from
    assert built_from is not None
    values = (built_from["tokens"], built_from["coverage"], built_from["words"])
    assert values == (11, 9 / 11, 16)
    assert built_from["words_with_vectors"] == 16 - 3 - 2  # special words, "dull" and the comma
    (line,) = notes.lines
    assert all(part in line for part in (" 16 ", str(vectors), "81.8%"))
    notes = Notes()
    build_encoder(config("random"), TEXTS, notes)
    (line,) = notes.lines
    assert " 11 " in line
    assert "%" not in line


def test_the_same_config_and_texts_make_the_same_encoder_and_others_another(vectors):
    def digest(texts=TEXTS, **changes):
        return build_encoder(config(vectors, **changes), texts, Reporter()).digest()

    torch.manual_seed(5)
    before, same = torch.get_rng_state(), digest()
    assert torch.equal(torch.get_rng_state(), before)
    assert digest() == same
    others = [
        digest(seed=1),
        digest(TEXTS[:1]),
        digest(layers=1),
        digest(freeze_vectors=True),
        digest(frequent_words=4),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_without_texts_it_knows_the_words_of_the_vectors(vectors):
    made = build_encoder(config(vectors), [], Reporter())
    assert "zebra" in made.tokenizer.get_vocab()
    assert "film" in made.tokenizer.get_vocab()


def test_an_uneven_number_of_heads_is_refused(vectors):
    with pytest.raises(ThawlineError) as caught:
        build_encoder(config(vectors, width=16, heads=3), TEXTS, Reporter())
    assert (caught.value.setting, caught.value.found) == ("encoder.width", "16")
    assert "encoder.width=18" in caught.value.fix


def test_an_option_that_its_tokenizer_lacks_is_refused(vectors):
    cased = config(vectors, tokens=TokensConfig(do_lower_case=False))
    with pytest.raises(ThawlineError) as caught:
        build_encoder(cased, TEXTS, Reporter())
    assert caught.value.setting == "tokens.do_lower_case"
    assert "'glove'" in caught.value.expected


def test_a_folder_of_its_name_wins_and_asks_for_no_texts(toy_backbone):
    import shutil

    shutil.copytree(toy_backbone("bert"), "glove")

    def never():
        raise AssertionError

    found = open_backbone(Config(backbone="glove"), never, Reporter())
    assert found.built_from is None
    assert found.stack.model.config.model_type == "bert"


def test_it_keeps_256_tokens_of_a_text_by_default(vectors):
    made = build_encoder(config(vectors), WORDS, Reporter())
    assert made.resolve_max_length(None) == 256
    assert made.resolve_max_length(512) == 512
    with pytest.raises(ThawlineError) as caught:
        made.resolve_max_length(513)
    assert (caught.value.setting, caught.value.found) == ("tokens.max_length", "513")
    assert all(number in caught.value.expected for number in (" 2 ", " 512"))
    assert "`tokens.max_length=256`" in caught.value.fix
