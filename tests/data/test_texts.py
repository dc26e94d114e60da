import numpy as np
import pandas as pd
import pytest

from tests.support.mentions import mentions
from thawline.data import check_texts
from thawline.data.texts import copy_key
from thawline.errors import ThawlineError


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "", "café 🎬"],
        ("a", "b"),
        [("premise", "hypothesis"), ("", "")],
        dict.fromkeys(["a", "b"]).keys(),
        {1: "a", 2: "b"}.values(),
        np.array(["a", "b"]),
        pd.Series(["a", "b"], index=[7, 9]),
        (word for word in ["a", "b"]),
        [],
    ],
)
def test_texts_and_pairs_are_returned_as_a_list(texts):
    wanted = ["a", "b"] if not isinstance(texts, list | tuple) else list(texts)
    assert check_texts(texts) == wanted


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ("a text", "'a text'"),
        (b"a text", "b'a text'"),
        ({"text": ["a"]}, "dict"),
        (pd.DataFrame({"text": ["a"]}), "DataFrame"),
        (3, "int"),
        (None, "NoneType"),
        (["a", 3], "int|row 1"),
        (["a", None], "NoneType|row 1"),
        ([float("nan")], "float|row 0"),
        ([b"a"], "bytes|row 0"),
        (["a", ["b", "c"]], "list|row 1"),
        (["a", ["b", 3]], "list|row 1"),
        ([("a", "b", "c")], "str, str, str|row 0"),
        ([("a", None)], "str, NoneType|row 0"),
        ([()], "in row 0"),
        ({"a", "b"}, "set"),
        (frozenset("ab"), "frozenset"),
        ({"a": "b"}.items(), "dict_items"),
        (["a", ("b", "c")], "('b', 'c')|row 1"),
        ([("b", "c"), ("d", "e"), "a"], "'a'|row 2"),
        (["half \ud83d"], "'half \\ud83d'|row 0"),
        ([("a", "half \ud83d")], "('a', 'half \\ud83d')|row 0"),
    ],
)
def test_an_invalid_text_is_reported_with_its_row(texts, found):
    with pytest.raises(ThawlineError) as error:
        check_texts(texts)
    assert mentions(error.value.found, found)


@pytest.mark.parametrize(
    ("text", "other", "equal"),
    [
        ("A  film", " a\nfilm ", True),
        ("caf\u00e9", "CAFE\u0301", True),
        ("a film", "a film.", False),
        ("a film", "af ilm", False),
        (("a", "B"), ("A ", "b"), True),
        (("a", "b"), ("b", "a"), False),
        (("a b", "c"), ("a", "b c"), False),
        (("a", "b"), "a b", False),
    ],
)
def test_copies_have_the_same_key(text, other, equal):
    assert (copy_key(text) == copy_key(other)) is equal


def test_a_pair_written_as_a_list_is_explained():
    with pytest.raises(ThawlineError) as pair:
        check_texts([["b", "c"]])
    with pytest.raises(ThawlineError) as other:
        check_texts([["b", 3]])
    assert "tuple" in pair.value.fix
    assert "tuple" not in other.value.fix
