"""Loading from local folders with the layout of the hub, and without access to the hub."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.review_files import reviews
from thawline.config import DataConfig
from thawline.data import Labels, load, load_split
from thawline.data.sources.hub import NAMED_SETS, HubSet, hub_source
from thawline.errors import ThawlineError

datasets = pytest.importorskip("datasets")

CARD = """---
dataset_info:
  features:
  - name: {text}
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
configs:
- config_name: {config}
  data_files:
{files}---
"""


@pytest.fixture
def hub_folder(write, tmp_path, monkeypatch):
    """Return a function that writes a folder with the layout of the hub, with its own cache."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")

    def lay_out(splits, text="text", config="default"):
        for split, columns in splits.items():
            named = {text: columns["text"], "label": columns["label"]}
            write(f"hub/{split}.parquet", named)
        files = "".join(f"  - split: {s}\n    path: {s}.parquet\n" for s in splits)
        card = CARD.format(text=text, config=config, files=files)
        (tmp_path / "hub" / "README.md").write_text(card, encoding="utf-8")
        return tmp_path / "hub"

    return lay_out


def _named(monkeypatch, folder, name, **settings):
    """Register the folder as a named set, so that `load` runs all of the code for the hub."""
    monkeypatch.setitem(NAMED_SETS, name, HubSet(str(folder), **settings))


def test_a_set_with_the_layout_of_imdb_has_its_class_names(hub_folder, monkeypatch):
    splits = {
        "train": reviews(60, 40),
        "test": reviews(30, 20),
        "unsupervised": reviews(9, 9, (-1, -1)),
    }
    _named(monkeypatch, hub_folder(splits), "imdb", text="text", label="label")
    data = load(DataConfig(data="imdb", limit=(50, 10)))
    assert data.name == "imdb"
    assert data.labels == Labels(("neg", "pos"), (0, 1))
    assert (len(data.train), len(data.validation), len(data.test)) == (45, 5, 10)
    assert data.train.texts == [splits["train"]["text"][row] for row in data.train.rows]
    assert data.warnings[0].endswith(" unsupervised")
    texts = load_split(DataConfig(data="imdb"), "all", data.labels)
    assert (len(texts), texts.source) == (150, "train+test")


def test_label_names_of_the_user_take_precedence(hub_folder, monkeypatch):
    folder = hub_folder({"train": reviews(6, 6), "test": reviews(3, 3)})
    _named(monkeypatch, folder, "films", label_names=("down", "up"))
    assert load(DataConfig(data="films")).labels.names == ("neg", "pos")
    named = load(DataConfig(data="films", labels=("thumb down", "thumb up")))
    assert named.labels.names == ("thumb down", "thumb up")


def test_a_set_like_sst2_with_hidden_test_labels(hub_folder, monkeypatch):
    splits = {
        "train": reviews(60, 40),
        "validation": reviews(6, 4),
        "test": reviews(5, 5, (-1, -1)),
    }
    folder = hub_folder(splits, text="sentence", config="split")
    _named(monkeypatch, folder, "sst2", text="sentence", label="label", config="split")
    data = load(DataConfig(data="sst2"))
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 10, 20)
    assert any("test" in warning and "-1" in warning for warning in data.warnings)


def test_known_label_names_serve_a_set_without_its_own(write, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = write("plain/train.csv", reviews(30, 30)).parent
    _named(monkeypatch, folder, "films", label_names=("neg", "pos"))
    assert load(DataConfig(data="films")).labels == Labels(("neg", "pos"), (0, 1))


def test_a_set_without_a_usual_split_or_that_cannot_be_read(hub_folder, tmp_path):
    folder = hub_folder({"unsupervised": reviews(3, 3)})
    with pytest.raises(ThawlineError) as error:
        hub_source("films", HubSet(str(folder)), None, None)
    assert "films" in error.value.expected
    assert "unsupervised" in error.value.found
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "train.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ThawlineError) as error:
        hub_source("films", HubSet(str(tmp_path / "broken")), None, None)
    assert "'films'" in error.value.expected
    assert type(error.value.__cause__).__name__ in error.value.found


def test_named_sets_have_hub_ids_and_distinct_label_names():
    assert {"imdb", "ag_news", "sst2", "yelp_polarity", "amazon_polarity", "emotion"} <= set(
        NAMED_SETS
    )
    for hub_set in NAMED_SETS.values():
        assert hub_set.hub_id.count("/") == 1
        assert len(set(hub_set.label_names)) == len(hub_set.label_names) >= 2


def test_without_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data="imbd"))
    assert "'imbd'" in error.value.found
    assert 'pip install "thawline[hub]"' in error.value.fix
    assert "'imdb'" in error.value.fix


def test_titles_of_amazon_are_joined_to_the_content(write, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    columns = {"label": [0, 1] * 10, "title": ["short"] * 20, "content": ["long"] * 20}
    known = NAMED_SETS["amazon_polarity"]
    folder = write("amazon/train.parquet", columns).parent
    settings = {"text": known.text, "label": known.label, "label_names": known.label_names}
    _named(monkeypatch, folder, "amazon_polarity", **settings)
    data = load(DataConfig(data="amazon_polarity"))
    assert set(data.train.texts) == {"short long"}
    assert data.text_columns == ("title+content",)
    alone = load(DataConfig(data="amazon_polarity", text="content"))
    assert set(alone.train.texts) == {"long"}
    assert data.labels == Labels(("negative", "positive"), (0, 1))
    pairs = load(DataConfig(data="amazon_polarity", text="title,content"))
    assert set(pairs.train.texts) == {("short", "long")}


@pytest.fixture
def cached(hub_folder, tmp_path):
    """Put a set into the cache, as if it had been downloaded from the hub as someone/films."""
    folder = hub_folder({"train": reviews(30, 30), "test": reviews(3, 3)})
    datasets.load_dataset(str(folder))
    cache = tmp_path / "cache"
    (cache / "someone___films").mkdir()
    (cache / "hub" / "default").rename(cache / "someone___films" / "default")
    for file in (cache / "someone___films").rglob("hub-*"):
        file.rename(file.with_name(file.name.replace("hub-", "films-")))


class _NoAnswer:
    asked = 0

    def dataset_info(self, hub_id, timeout):
        assert timeout <= 10
        type(self).asked += 1
        raise TimeoutError("no answer in time")


def test_a_cached_set_is_loaded_without_the_hub(cached, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub, "HfApi", _NoAnswer)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    data = load(DataConfig(data="someone/films"))
    assert data.labels.names == ("neg", "pos")
    assert (len(data.train), len(data.validation), len(data.test)) == (54, 6, 6)
    assert _NoAnswer.asked == 1
    assert datasets.config.HF_HUB_OFFLINE is False


def test_a_hub_that_refuses_is_still_asked_for_the_set(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    class SaysNoError(HfHubHTTPError):
        def __init__(self):
            Exception.__init__(self, "no such set")

    class Answers:
        def dataset_info(self, hub_id, timeout):
            raise SaysNoError

    def refuse(hub_id, config):
        assert datasets.config.HF_HUB_OFFLINE is False
        raise datasets.exceptions.DatasetNotFoundError(f"Dataset '{hub_id}' doesn't exist")

    monkeypatch.setattr(huggingface_hub, "HfApi", Answers)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data="someone/flims"))
    assert error.value.found.endswith("Dataset 'someone/flims' doesn't exist")


@pytest.mark.e2e
def test_an_unreachable_hub_is_given_up_within_seconds(tmp_path):
    code = (
        "import time\n"
        "from thawline.data import load_data\n"
        "from thawline.errors import ThawlineError\n"
        "import datasets\n"
        "waits = []\n"
        "time.sleep = waits.append\n"
        "try:\n"
        "    load_data('someone/films')\n"
        "except ThawlineError as error:\n"
        "    print(error.found)\n"
        "print(sum(waits))\n"
    )
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **nowhere, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    found, waited = result.stdout.splitlines()
    assert "'someone/films'" in found
    assert "refused" in found
    assert float(waited) < 8  # seconds between tries; the five of the client add up to 23


@pytest.mark.e2e
def test_an_offline_error_names_the_path_and_the_hub(tmp_path):
    code = (
        "from thawline.config import DataConfig\n"
        "from thawline.data import load\n"
        "from thawline.errors import ThawlineError\n"
        "for name in ('imdb', 'someone/films'):\n"
        "    try:\n"
        "        load(DataConfig(data=name))\n"
        "    except ThawlineError as error:\n"
        "        print(error.found)\n"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **offline},
        capture_output=True,
        text=True,
        check=True,
    )
    named, other = result.stdout.splitlines()
    assert "'imdb'" in named
    assert "HF_HUB_OFFLINE" in named
    assert "'someone/films'" in other
    assert "HF_HUB_OFFLINE" in other


@pytest.mark.parametrize(
    "name",
    [
        "films.csv",
        "films.json.gz",
        "aclImdb_v1.tar.gz",
        "films.tgz",
        "films.tsv",
        "./films",
        "no/such/folder",
        "../films",
        "films/train.parquet",
        "a b",
    ],
)
def test_names_that_must_be_paths_never_ask_the_hub(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data=name))
    assert error.value.setting == "data.data"
    assert error.value.found.endswith(repr(name))


def test_a_path_takes_precedence_over_a_name(write, tmp_path, monkeypatch):
    write("imdb/train.csv", reviews(30, 30))
    Path(tmp_path / "sst2").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert load(DataConfig(data="imdb")).labels.names == ("0", "1")
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data="sst2"))
    assert error.value.setting == "data.data"
    assert "folder sst2 " in error.value.fix


@pytest.mark.parametrize("data", [None, " "])
def test_missing_data_is_reported(data):
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data=data))
    assert error.value.setting == "data.data"
    assert "`data.data`" in error.value.fix


def test_an_invalid_path_is_reported():
    with pytest.raises(ThawlineError) as error:
        load(DataConfig(data="a review that was taken for a path " * 20))
    assert "'a review that was taken for a path a review" in error.value.found
    assert os.strerror(errno.ENAMETOOLONG) in error.value.found


def test_importing_the_data_room_imports_no_heavy_library():
    code = (
        "import sys, thawline.data\n"
        "print(*({'torch', 'pandas', 'pyarrow', 'sklearn', 'datasets'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
