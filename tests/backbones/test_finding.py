"""Finding a backbone: a local path never needs the network."""

from __future__ import annotations

import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError

from tests.support.records import pretrain_record
from thawline.backbones.finding import PACKAGED_BACKBONES, PackagedBackbone, find_backbone
from thawline.backbones.loading import load_backbone
from thawline.errors import ThawlineError
from thawline.runs.records import write_record


class Hub:
    """Replaces the hub: answers or raises, and counts how often it is asked."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer, self.asked = answer, 0

    def __call__(self) -> Hub:
        return self

    def model_info(self, name: str, timeout: float) -> None:
        assert timeout <= 10
        self.asked += 1
        if self.answer is not None:
            raise self.answer


class SaysNoError(HfHubHTTPError):
    def __init__(self) -> None:
        Exception.__init__(self, "no such model")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch):
    """Return a function that replaces the hub by one with a given answer."""

    def put(answer: Exception | None) -> Hub:
        replaced = Hub(answer)
        monkeypatch.setattr(huggingface_hub, "HfApi", replaced)
        return replaced

    return put


def test_a_folder_is_read_without_a_word_to_the_hub(hub, toy_backbone, monkeypatch):
    silent = hub(TimeoutError("never"))

    def refuse(*arguments: object) -> None:
        raise AssertionError("a socket was opened for a local folder")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert load_backbone(str(toy_backbone("bert"))).stack.depth == 4
    assert silent.asked == 0


def in_cache(folder, monkeypatch, tmp_path, name="someone/toy"):
    """Put a folder into the hub's cache, as a download of the main branch leaves it."""
    repository = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
    commit = "0" * 40
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return repository / "snapshots" / commit


def test_a_model_that_was_fetched_before_is_had_without_the_hub(
    hub, toy_backbone, monkeypatch, tmp_path
):
    folder = in_cache(toy_backbone("bert"), monkeypatch, tmp_path)
    silent = hub(TimeoutError("no answer in time"))
    assert find_backbone("someone/toy") == str(folder)
    assert load_backbone("someone/toy").name == "someone/toy"
    assert silent.asked == 2


def test_a_hub_that_answers_is_asked_for_what_the_model_needs_and_no_more(
    hub, toy_backbone, monkeypatch
):
    answering = hub(SaysNoError())
    asked = []

    def download(name, **options):
        asked.append((name, options))
        return str(toy_backbone("bert"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_backbone("someone/toy") == str(toy_backbone("bert"))
    assert answering.asked == 1
    ((name, options),) = asked
    assert name == "someone/toy"
    assert not options["local_files_only"]
    assert "*.safetensors" in options["allow_patterns"]
    assert not {"*.bin", "*.pt", "*.pkl", "*.py"} & set(options["allow_patterns"])


@pytest.mark.parametrize(
    ("name", "asks_hub"),
    [("no/such-model", True), ("minilmm", True), ("./no/folder/here", False)],
)
def test_an_unknown_name_is_refused(hub, name, asks_hub):
    hub(TimeoutError("no answer in time"))
    with pytest.raises(ThawlineError) as caught:
        find_backbone(name)
    assert caught.value.found.startswith(f"'{name}'")
    assert "minilm, thawline/qwen3-mini" in caught.value.expected
    assert ("no answer in time" in caught.value.found) == asks_hub


def test_a_packaged_backbone_without_its_folder_is_refused(monkeypatch):
    lacking = PackagedBackbone("thawline", "embedded/no-such-model", None, "")
    monkeypatch.setitem(PACKAGED_BACKBONES, "thawline/other", lacking)
    with pytest.raises(ThawlineError) as caught:
        find_backbone("thawline/other")
    assert caught.value.found.startswith("'thawline/other'")
    assert "minilm, thawline/qwen3-mini, thawline/other" in caught.value.expected
    assert "pip install --force-reinstall thawline" in caught.value.fix


def test_without_a_network_the_answer_comes_soon(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(ThawlineError) as caught:
        find_backbone("some-owner/some-model")
    assert caught.value.found.startswith("'some-owner/some-model'")
    assert sum(waits) < 10  # seconds between tries


def test_the_folder_of_a_pretraining_stands_for_the_model_in_it(toy_backbone):
    model = Path(shutil.copytree(toy_backbone("qwen3"), Path("run/model")))
    assert find_backbone("run") == "run"  # without a record it is not a run
    record = Path("run/record.json")
    write_record(record, pretrain_record())
    assert find_backbone("run") == str(model)
    record.write_text('{"status": "stopped", "verb": "pretrain"}')
    with pytest.raises(ThawlineError) as caught:
        find_backbone("run")
    assert caught.value.found.startswith("'run'")
    assert "thawline pretrain --resume --out run" in caught.value.fix
    shutil.copytree(model, "run", dirs_exist_ok=True)
    assert find_backbone("run") == "run"
