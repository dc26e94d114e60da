import numpy as np
import pandas as pd
import pytest

from thawline.data import check_texts
from thawline.errors import ThawlineError


@pytest.mark.parametrize(
    "texts",
    [
        ["a", "", "café 🎬"],
        ("a", "b"),
        [("premise", "hypothesis"), "alone", ("", "")],
        np.array(["a", "b"]),
        pd.Series(["a", "b"], index=[7, 9]),
        (word for word in ["a", "b"]),
        [],
    ],
)
def test_texts_and_pairs_come_back_as_a_list(texts):
    wanted = ["a", "b"] if not isinstance(texts, list | tuple) else list(texts)
    assert check_texts(texts) == wanted


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ("a text", "expected a sequence of texts, found one string; put it in a list: [text]"),
        (b"a text", "found one string; put it in a list"),
        ({"text": ["a"]}, "found a dict; give one of its columns"),
        (pd.DataFrame({"text": ["a"]}), "found a DataFrame; give one of its columns"),
        (3, "expected a sequence of texts, found one int"),
        (None, "expected a sequence of texts, found one NoneType"),
        (["a", 3], "expected texts as strings, found int in row 1; convert or drop that row"),
        (["a", None], "found NoneType in row 1"),
        ([float("nan")], "found float in row 0"),
        ([b"a"], "found bytes in row 0"),
        (
            ["a", ["b", "c"]],
            "found list in row 1; write a pair of texts as a tuple: (first, second)",
        ),
        (["a", ["b", 3]], "found list in row 1; convert or drop that row"),
        ([("a", "b", "c")], "found a tuple of str, str, str in row 0"),
        ([("a", None)], "found a tuple of str, NoneType in row 0"),
        ([()], "found a tuple of nothing in row 0"),
        (["half \ud83d"], "found half a character in 'half \\ud83d' in row 0"),
        ([("a", "half \ud83d")], "found half a character in ('a', 'half \\ud83d') in row 0"),
    ],
)
def test_what_is_no_text_is_named_by_its_row(texts, words):
    with pytest.raises(ThawlineError) as error:
        check_texts(texts)
    assert words in str(error.value)
