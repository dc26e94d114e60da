import gzip

import pytest

from thawline.data.sources.columns import read_labels, read_texts
from thawline.data.sources.encodings import decode, find_encoding
from thawline.data.sources.formats import open_table
from thawline.errors import ThawlineError

CSV = "text,label\ncafé au lait,pos\n日本語,neg\n"
JSON = '{"text": "café au lait", "label": "pos"}\n{"text": "日本語", "label": "neg"}\n'
FORMS = {
    "utf-16": ("utf-16", ""),  # with a byte order mark
    "utf-16-le": ("utf-16-le", "\ufeff"),
    "utf-16-be": ("utf-16-be", "\ufeff"),
    "utf-32": ("utf-32", ""),
    "iso2022_jp": ("iso2022_jp", ""),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("name", "content"),
    [("x.csv", CSV), ("x.tsv", CSV.replace(",", "\t")), ("x.jsonl", JSON), ("x.csv.gz", CSV)],
)
def test_other_encodings_with_a_mark_are_read_and_reported(tmp_path, form, name, content):
    codec, mark = FORMS[form]
    first = "cafe au lait" if codec == "iso2022_jp" else "café au lait"
    written = (mark + content.replace("café au lait", first)).encode(codec)
    (tmp_path / name).write_bytes(gzip.compress(written) if name.endswith("gz") else written)
    table = open_table(tmp_path / name)
    assert read_texts(table, None) == [first, "日本語"]
    assert read_labels(table, None) == ["pos", "neg"]
    assert any(form[:6].upper() in line for line in table.warnings)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(codec):
    assert find_encoding(CSV.encode(codec)) == codec
    assert decode(CSV.encode(codec), "x", codec) == CSV


@pytest.mark.parametrize("text", ["", "a", "a\0", "a\0b\0", "text\n\0\0\0\0", "é" * 9, CSV])
def test_utf_8_is_not_mistaken(text):
    if not text.startswith("a\0b"):
        assert find_encoding(text.encode()) in ("utf-8-sig", "utf-16-le")
    assert find_encoding((CSV + text).encode()) == "utf-8-sig"
    assert find_encoding(b"\xef\xbb\xbf" + text.encode()) == "utf-8-sig"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_an_invalid_byte_is_reported_with_its_line(mark):
    with pytest.raises(ThawlineError) as error:
        decode(mark + b"text,label\nok,1\ncaf\xe9,1\n", "x.csv")
    for datum in ("0xE9", "line 3", f" {19 + len(mark)}"):
        assert datum in error.value.found
    assert "x.csv" in error.value.expected
