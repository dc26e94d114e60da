"""An encoder made for a fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.support.toys import WORDS
from thawline.backbones.glove.build import make_encoder
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
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)


def test_words_have_their_vectors_and_the_others_are_drawn(vectors):
    made = make_encoder(config(vectors), TEXTS, Reporter())
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


def test_what_it_was_made_of_is_told(vectors):
    notes = Notes()
    made = make_encoder(config(vectors), TEXTS, notes).made
    assert made is not None
    assert (made["tokens"], made["coverage"], made["words"]) == (11, 9 / 11, 16)
    assert made["words_with_vectors"] == 16 - 3 - 2  # the special ones, "dull" and the comma
    assert notes.told == [f"an encoder of 16 words: {vectors} covers 81.8% of the tokens of train"]
    notes = Notes()
    make_encoder(config("random"), TEXTS, notes)
    assert notes.told == ["an encoder of 11 words, their vectors drawn at random"]


def test_the_same_config_and_texts_make_the_same_encoder_and_others_another(vectors):
    def digest(texts=TEXTS, **changes):
        return make_encoder(config(vectors, **changes), texts, Reporter()).digest()

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
    made = make_encoder(config(vectors), [], Reporter())
    assert "zebra" in made.tokenizer.get_vocab()
    assert "film" in made.tokenizer.get_vocab()


def test_an_uneven_number_of_heads_is_refused(vectors):
    with pytest.raises(ThawlineError) as caught:
        make_encoder(config(vectors, width=16, heads=3), TEXTS, Reporter())
    assert str(caught.value) == (
        "expected encoder.width to be a multiple of encoder.heads, found 16 and 3; "
        "write --set encoder.width=18"
    )


def test_an_option_that_its_tokenizer_lacks_is_refused(vectors):
    cased = config(vectors, tokens=TokensConfig(do_lower_case=False))
    with pytest.raises(ThawlineError, match="a tokenizer with the option do_lower_case in 'glove'"):
        make_encoder(cased, TEXTS, Reporter())


def test_a_folder_of_its_name_wins_and_asks_for_no_texts(toy_backbone):
    import shutil

    shutil.copytree(toy_backbone("bert"), "glove")

    def never():
        raise AssertionError

    found = open_backbone(Config(backbone="glove"), never, Reporter())
    assert found.made is None
    assert found.stack.model.config.model_type == "bert"


def test_it_keeps_256_tokens_of_a_text_unless_told(vectors):
    made = make_encoder(config(vectors), WORDS, Reporter())
    assert made.resolve_max_length(None) == 256
    assert made.resolve_max_length(512) == 512
    with pytest.raises(ThawlineError, match=r"from 2 to 512 tokens.*give --max-length 256"):
        made.resolve_max_length(513)
