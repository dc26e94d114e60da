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
"""Of all that stands beside the labelled texts, only unsup is told of."""


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


def test_a_folder_for_each_class_is_read_in_the_order_of_the_numbers(acl_imdb):
    data = load_data(acl_imdb)
    assert data.name == "aclImdb"
    assert data.labels == Labels(("neg", "pos"), ("neg", "pos"))
    assert data.notes[0] == "left alone, as its texts have no label: train/unsup"
    assert (len(data.train), len(data.validation), len(data.test)) == (23, 3, 26)
    numbers = [*range(12), 100]
    wanted = [f"test/{kind} {number} café" for kind in ("neg", "pos") for number in numbers]
    assert data.test.texts == wanted
    assert data.test.labels.tolist() == [0] * 13 + [1] * 13
    assert data.protocol["splits"]["test"] == {
        "source": "test",
        "rows": 26,
        "how": "the source's own",
    }


def test_folder_and_archive_give_the_same_rows(tmp_path):
    folder = load_data(_folder(tmp_path / "aclImdb", FILES), limit=(10, 4))
    archive = load_data(_archive(tmp_path / "aclImdb_v1.tar.gz", FILES), limit=(10, 4))
    assert folder.digest == archive.digest
    assert folder.protocol == archive.protocol


def test_class_folders_without_splits_are_one_set(tmp_path):
    data = load_data(_folder(tmp_path / "aclImdb", FILES | ASIDE) / "train")
    assert data.name == "train"
    assert (len(data.train), len(data.validation), len(data.test)) == (19, 2, 5)
    assert data.notes[0] == "left alone, as its texts have no label: train/unsup"


def test_only_the_split_that_is_evaluated_is_read(tmp_path):
    folder = _folder(tmp_path / "news", FILES | {"train/pos/0_9.txt": b"\xff"})
    texts = load_split(DataConfig(data=str(folder)), "test", Labels.from_raw(["neg", "pos"], None))
    assert len(texts) == 26


def test_any_classes_and_splits_and_what_is_neither(tmp_path):
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


def test_folders_of_classes_that_are_no_split_are_told_of(tmp_path):
    data = load_data(_folder(tmp_path / "x", FILES | {"extra/pos/1.txt": b"a"}))
    assert data.notes[0] == "left alone, as no train, validation or test split: extra"


def test_files_of_splits_go_before_class_folders(write, tmp_path):
    write("films/train.csv", {"text": ["a", "b"] * 10, "label": ["0", "1"] * 10})
    data = load_data(_folder(tmp_path / "films", FILES))
    assert data.labels.names == ("0", "1")


ERRORS = [
    ({"train/neg/1.txt": b"a", "train/neg/2.txt": b"b"}, "at least two classes in "),
    (FILES | {"train/pos/1.txt": b"caf\xe9"}, "train/pos/1.txt"),
    (
        FILES | {"train/pos/1.txt": b"caf\xe9"},
        "is none, at position 3; save",
    ),
    ({"val/neg/1.txt": b"a", "dev/neg/1.txt": b"b"}, "found two (dev, val); move one of them away"),
    ({"test/neg/1.txt": b"a"}, "expected a train split in "),
    (FILES | {"test/so-so/1.txt": b"a"}, "expected classes in test that train has (neg, pos), fou"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("files", "words"), ERRORS)
def test_what_cannot_work_is_an_error_of_one_line(tmp_path, packed, files, words):
    given = _archive(tmp_path / "x.tgz", files) if packed else _folder(tmp_path / "x", files)
    with pytest.raises(ThawlineError) as error:
        load_data(given)
    assert words in str(error.value).replace("\\", "/")
    assert "\n" not in str(error.value)


def test_a_folder_or_an_archive_without_class_folders_is_named(tmp_path):
    with pytest.raises(ThawlineError, match=r", or a folder for each class, found no data file"):
        load_data(_folder(tmp_path / "x", {"train/1.txt": b"a", "train/empty/x.md": b"b"}))
    with pytest.raises(ThawlineError, match=r"as train/pos/1.txt, found none; unpack it and give"):
        load_data(_archive(tmp_path / "x.tgz", {"reviews.csv": b"text,label"}))
    with pytest.raises(ThawlineError, match=r"as train/pos/1.txt, found none; unpack it and give"):
        load_data(_archive(tmp_path / "y.tgz", {"docs/a/1.txt": b"text"}))


def test_an_archive_of_two_sets_is_refused(tmp_path):
    files = {f"{name}/train/{kind}/1.txt": b"a" for name in ("a", "b") for kind in ("neg", "pos")}
    with pytest.raises(ThawlineError, match=r"one set of class folders in .* found a/train, b/tr"):
        load_data(_archive(tmp_path / "x.tgz", files, prefix=""))


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
    with pytest.raises(
        ThawlineError, match=r"found aclImdb/\.\./\.\./train, aclImdb/test, aclImdb/tr"
    ):
        load_data(path)
    data = load_data(_archive(path, FILES, others=others))
    assert len(data.train) + len(data.validation) + len(data.test) == len(FILES)
    assert not any("secret" in text for text in data.train.texts)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_cut_short_anywhere_or_spoilt_is_noticed(tmp_path):
    path = _archive(tmp_path / "x.tar.gz", FILES)
    whole = path.read_bytes()
    for keep in range(1, len(whole), len(whole) // 40):
        path.write_bytes(whole[:keep])
        with pytest.raises(ThawlineError, match=r"expected a whole .*fix the file or fetch it"):
            load_data(path)
    for place in range(20, len(whole) - 8, len(whole) // 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        with pytest.raises(ThawlineError, match=r"expected a whole .*fix the file or fetch it"):
            load_data(path)
