import io
import tarfile

import pytest

from thawline.config import DataConfig
from thawline.data import Labels, load_data, load_split
from thawline.errors import ThawlineError

PLACES = [f"{split}/{kind}" for split in ("train", "test") for kind in ("neg", "pos")]
FILES = {
    f"{place}/{number}_{9 if place.endswith('pos') else 2}.txt": f"{place} {number} café".encode()
    for place in PLACES
    for number in (*range(12), 100)
}
ASIDE = {
    "README": b"# Reviews",
    "imdb.vocab": b"the\nand",
    "train/urls_pos.txt": b"http://",
    "train/unsup/0_0.txt": b"no label \xff",
    "train/pos/.0_9.txt": b"hidden \xff",
    "train/pos/0_9.txt~": b"no text \xff",
}
"""Files beside the labelled texts. Only the folder unsup causes a warning."""


def _folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def _archive(path, files, prefix="aclImdb/", others=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:
            archive.addfile(member)
    return path


@pytest.fixture(params=["folder", "tar.gz", "tgz", "./"])
def acl_imdb(request, tmp_path):
    files = FILES | ASIDE
    if request.param == "folder":
        return _folder(tmp_path / "aclImdb", files)
    if request.param == "./":
        return _archive(tmp_path / "aclImdb.TAR.GZ", files, prefix="./aclImdb/")
    return _archive(tmp_path / f"aclImdb.{request.param}", files)


def test_class_folders_are_read_in_the_order_of_numbers(acl_imdb):
    data = load_data(acl_imdb)
    assert data.name == "aclImdb"
    assert data.labels == Labels(("neg", "pos"), ("neg", "pos"))
    assert "train/unsup" in data.warnings[0]
    assert (len(data.train), len(data.validation), len(data.test)) == (23, 3, 26)
    numbers = [*range(12), 100]
    wanted = [f"test/{kind} {number} café" for kind in ("neg", "pos") for number in numbers]
    assert data.test.texts == wanted
    assert data.test.labels.tolist() == [0] * 13 + [1] * 13
    test = data.protocol["splits"]["test"]
    assert (test["source"], test["rows"]) == ("test", 26)


def test_numbers_of_any_length_are_ordered(tmp_path):
    """A name in an archive may have more digits than Python turns into a number."""
    numbers = ["0", "2", "0003", "10", "9" * 5_000, "1" + "0" * 5_000]
    files = {f"{kind}/{number}.txt": number.encode() for kind in "ab" for number in numbers}
    data = load_data(_archive(tmp_path / "x.tar.gz", files), validation_share=0.2, test_share=0.2)
    rows = {
        row: text
        for part in data.parts.values()
        for row, text in zip(part.rows.tolist(), part.texts, strict=True)
    }
    assert [rows[row] for row in sorted(rows)] == numbers * 2


def test_folder_and_archive_give_the_same_rows(tmp_path):
    folder = load_data(_folder(tmp_path / "aclImdb", FILES), limit=(10, 4))
    archive = load_data(_archive(tmp_path / "aclImdb_v1.tar.gz", FILES), limit=(10, 4))
    assert folder.digest == archive.digest
    assert folder.protocol == archive.protocol


def test_class_folders_without_splits_are_one_set(tmp_path):
    data = load_data(_folder(tmp_path / "aclImdb", FILES | ASIDE) / "train")
    assert data.name == "train"
    assert (len(data.train), len(data.validation), len(data.test)) == (19, 2, 5)
    assert "train/unsup" in data.warnings[0]


def test_only_the_split_that_is_evaluated_is_read(tmp_path):
    folder = _folder(tmp_path / "news", FILES | {"train/pos/0_9.txt": b"\xff"})
    texts = load_split(DataConfig(data=str(folder)), "test", Labels.from_raw(["neg", "pos"], None))
    assert len(texts) == 26


def test_any_names_of_classes_and_splits_are_read(tmp_path):
    files = {
        f"{split}/{kind}/{row}.txt": f"\ufeff{kind} {row}\r\n".encode()
        for split in ("Train", "dev")
        for kind in ("10", "9", "rec.autos")
        for row in range(10)
    }
    for given in (_folder(tmp_path / "f", files), _archive(tmp_path / "f.tgz", files)):
        data = load_data(given)
        assert data.labels.names == ("10", "9", "rec.autos")
        assert data.validation.source == "dev"
        assert data.validation.texts[:2] == ["9 0", "9 1"]


def test_class_folders_that_match_no_split_cause_a_warning(tmp_path):
    data = load_data(_folder(tmp_path / "x", FILES | {"extra/pos/1.txt": b"a"}))
    assert data.warnings[0].endswith(" extra")


def test_files_of_splits_take_precedence_over_class_folders(write, tmp_path):
    write("films/train.csv", {"text": ["a", "b"] * 10, "label": ["0", "1"] * 10})
    data = load_data(_folder(tmp_path / "films", FILES))
    assert data.labels.names == ("0", "1")


ERRORS = [  # files, the setting that is wrong, and data in `expected` and `found`
    ({"train/neg/1.txt": b"a", "train/neg/2.txt": b"b"}, "data.label", "train", "neg"),
    (FILES | {"train/pos/1.txt": b"caf\xe9"}, None, "train/pos/1.txt", "position 3"),
    ({"val/neg/1.txt": b"a", "dev/neg/1.txt": b"b"}, None, "validation", "(dev, val)"),
    ({"test/neg/1.txt": b"a"}, "data.data", "train", "test"),
    (FILES | {"test/so-so/1.txt": b"a"}, None, "(neg, pos)", "so-so"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("files", "setting", "expected", "found"), ERRORS)
def test_invalid_folders_raise_one_line(tmp_path, packed, files, setting, expected, found):
    given = _archive(tmp_path / "x.tgz", files) if packed else _folder(tmp_path / "x", files)
    with pytest.raises(ThawlineError) as error:
        load_data(given)
    assert error.value.setting == setting
    assert expected in error.value.expected.replace("\\", "/")
    assert found in error.value.found
    assert "\n" not in str(error.value)


def test_a_folder_without_class_folders_is_named(tmp_path):
    folder = _folder(tmp_path / "x", {"train/1.txt": b"a", "train/empty/x.md": b"b"})
    with pytest.raises(ThawlineError) as error:
        load_data(folder)
    assert error.value.setting == "data.data"
    assert str(folder) in error.value.expected


@pytest.mark.parametrize("file", ["reviews.csv", "docs/a/1.txt"])
def test_an_archive_without_class_folders_is_named(tmp_path, file):
    path = _archive(tmp_path / "x.tgz", {file: b"text,label"})
    with pytest.raises(ThawlineError) as error:
        load_data(path)
    assert str(path) in error.value.expected
    assert "train/pos/1.txt" in error.value.expected


def test_an_archive_of_two_sets_is_refused(tmp_path):
    files = {f"{name}/train/{kind}/1.txt": b"a" for name in ("a", "b") for kind in ("neg", "pos")}
    with pytest.raises(ThawlineError) as error:
        load_data(_archive(tmp_path / "x.tgz", files, prefix=""))
    assert "a/train, b/train" in error.value.found


def test_links_in_an_archive_are_not_followed_and_nothing_is_unpacked(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    others = []
    for name, kind in (("a", tarfile.SYMTYPE), ("b", tarfile.LNKTYPE), ("c", tarfile.DIRTYPE)):
        member = tarfile.TarInfo(f"aclImdb/train/pos/{name}.txt")
        member.type, member.linkname = kind, str(tmp_path / "secret.txt")
        others.append(member)
    files = FILES | {"../../train/pos/200.txt": b"from above"}
    path = _archive(tmp_path / "x.tar.gz", files, others=others)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ThawlineError) as error:
        load_data(path)
    assert "aclImdb/../../train, aclImdb/test, aclImdb/train" in error.value.found
    data = load_data(_archive(path, FILES, others=others))
    assert len(data.train) + len(data.validation) + len(data.test) == len(FILES)
    assert not any("secret" in text for text in data.train.texts)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_truncated_or_damaged_archive_is_reported(tmp_path):
    path = _archive(tmp_path / "x.tar.gz", FILES)
    whole = path.read_bytes()
    truncated = [whole[:keep] for keep in range(1, len(whole), len(whole) // 40)]
    damaged = [
        whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :]
        for place in range(20, len(whole) - 8, len(whole) // 40)
    ]
    for content in truncated + damaged:
        path.write_bytes(content)
        with pytest.raises(ThawlineError) as error:
            load_data(path)
        assert error.value.expected.endswith(f"({path})")
        assert error.value.setting is None
        assert error.value.__cause__ is not None


@pytest.mark.parametrize("prefix", ["", "reviews/", "./"])
def test_archive_of_class_folders_without_splits_is_one_set(tmp_path, prefix):
    files = {f"{label}/{n}.txt": f"{label} {n}".encode() for label in "ab" for n in range(20)}
    data = load_data(_archive(tmp_path / "reviews.tar.gz", files, prefix=prefix))
    assert data.labels.names == ("a", "b")
    assert sum(len(part) for part in data.parts.values()) == 40
    folder = load_data(_folder(tmp_path / "folder", files))
    assert [part.texts for part in folder.parts.values()] == [
        part.texts for part in data.parts.values()
    ]


def test_texts_without_a_suffix_are_read_with_a_warning(tmp_path):
    files = {f"{label}/{n}": f"{label} {n}".encode() for label in "ab" for n in range(20)}
    data = load_data(_folder(tmp_path / "news", files))
    assert sum(len(part) for part in data.parts.values()) == 40
    assert any("news" in warning for warning in data.warnings)


def test_folders_of_other_files_are_no_classes(tmp_path):
    files = {f"{name}/{n}.py": b"pass" for name in "ab" for n in range(3)}
    with pytest.raises(ThawlineError) as raised:
        load_data(_folder(tmp_path / "code", files))
    assert "code" in raised.value.expected
