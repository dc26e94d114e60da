import pytest

from thawline.data import Labels
from thawline.data.labels import spelling_warnings
from thawline.data.spelling import group_spellings, has_stray_characters, spelling_key

ALIKE = [
    ("pos", "pos "),
    ("pos", " pos"),
    ("pos", "Pos"),
    ("pos", '"pos"'),
    ("pos", ' "pos"'),
    ("pos", "\u201cpos\u201d"),
    ("pos", "p\u200bos"),
    ("pos", "\ufeffpos"),
    ("pos", "pos\r"),
    ("pos", "pos."),
    ("pos", "\uff50\uff4f\uff53"),
    ("pos", "\u0440os"),  # a Cyrillic letter
    ("caf\u00e9", "cafe\u0301"),
    ("caf\u00e9", "CAFE\u0301"),
    ("very good", "very\u00a0good"),
    ("very good", "very_good"),
    ("very good", "Very-Good"),
    ("very good", "very  good"),
    ("sci-fi", "sci\u2013fi"),
    ("sci-fi", "sci\u2011fi"),
    ("rock'n'roll", "rock\u2019n\u2019roll"),
    ("-1", "\u22121"),
    ("1", "1.0"),
    ("1", "01"),
    ("1", " 1."),
    ("1", "True"),
    (0, "false"),
    ("stra\u00dfe", "STRASSE"),
]
DIFFERENT = [
    ("B", "B-"),
    ("C", "C++"),
    ("1", "-1"),
    ("1", "10"),
    ("1", "1.5"),
    (".", ","),
    ("'", '"'),
    ("", " "),
    ("pos", "positive"),
    ("cafe", "caf\u00e9"),
    ("ab", "a b"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_spellings_of_a_label_have_the_same_key(one, other):
    assert spelling_key(one) == spelling_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_labels_have_other_keys(one, other):
    assert spelling_key(one) != spelling_key(other)


@pytest.mark.parametrize("value", ["nan", "NULL", "#N/A", "<NA>", "None", " NaN ", "#NAME?"])
def test_a_class_that_is_a_missing_value_is_reported(value):
    labels = Labels.from_raw(["a", value, "b"], None)
    lines = spelling_warnings(labels, dict.fromkeys(labels.names, 7))
    assert sum(repr(value) in line and "7 rows" in line for line in lines) == 1


@pytest.mark.parametrize("value", ["none", "nana", "nil", "-", "missing", "0"])
def test_ordinary_words_are_no_missing_values(value):
    labels = Labels.from_raw(["a", value], None) if value != "0" else Labels.from_raw([0, 1], None)
    assert spelling_warnings(labels, dict.fromkeys(labels.names, 7)) == []


def test_names_and_values_are_grouped():
    assert group_spellings(["a", "b", "A ", "c"], ["a", "b", "A ", "c"]) == [[0, 2]]
    assert group_spellings(["no", "yes", "Yes"], [0, 1, 2]) == [[1, 2]]
    assert group_spellings(["no", "maybe", "yes"], ["0", "1", "1.0"]) == [[1, 2]]


@pytest.mark.parametrize("name", [" a", "a\u00a0", '"a"', "a\u200b", "a\tb", "\ufeffa"])
def test_stray_characters_are_recognised(name):
    assert has_stray_characters(name)


@pytest.mark.parametrize("name", ["a", "rock 'n'", "a b", "\u00e9", '"', ""])
def test_ordinary_names_have_no_stray_characters(name):
    assert not has_stray_characters(name)


def test_invisible_differences_are_shown_with_escapes():
    names = ("cafe\u0301", "caf\u00e9", "Caf\u00e9")
    (line,) = spelling_warnings(Labels(names, names), dict.fromkeys(names, 7))
    assert all(shown in line for shown in (r"cafe\u0301", r"'caf\xe9'", "'Caf\u00e9'"))
