"""Where a backbone is looked for: never on the network where the path is local."""

from __future__ import annotations

import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError

from thawline.backbones.finding import PACKAGED, Packaged, find_backbone
from thawline.backbones.loading import load_backbone
from thawline.errors import ThawlineError


class Hub:
    """In place of the hub: says that it is there, or is silent; counts how often it is asked."""

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
    """Return what puts a hub with an answer in place."""

    def put(answer: Exception | None) -> Hub:
        made = Hub(answer)
        monkeypatch.setattr(huggingface_hub, "HfApi", made)
        return made

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
    ("name", "why"),
    [
        ("no/such-model", "not in the hub's cache, and not to be had (no answer in time)"),
        ("minilmm", "not in the hub's cache, and not to be had (no answer in time)"),
        ("./no/folder/here", "which is no folder here and cannot be a hub id"),
    ],
)
def test_a_name_that_is_nowhere_is_told_in_one_line(hub, name, why):
    hub(TimeoutError("no answer in time"))
    with pytest.raises(ThawlineError) as caught:
        find_backbone(name)
    assert str(caught.value).startswith(
        "expected a backbone's folder, a packaged name (minilm, thawline/qwen3-mini) or a model "
        f"on the hub, found '{name}', which is no folder here"
    )
    assert why in str(caught.value)


def test_a_packaged_backbone_that_this_installation_lacks_is_told_in_one_line(monkeypatch):
    lacking = Packaged("thawline", "embedded/no-such-model", None, "")
    monkeypatch.setitem(PACKAGED, "thawline/other", lacking)
    with pytest.raises(ThawlineError) as caught:
        find_backbone("thawline/other")
    assert str(caught.value) == (
        "expected a backbone's folder, a packaged name (minilm, thawline/qwen3-mini, "
        "thawline/other) or a model on the hub, found 'thawline/other', whose folder this "
        "installation lacks; reinstall the package with pip install --force-reinstall thawline"
    )


def test_without_a_network_the_answer_comes_soon(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(ThawlineError, match="not to be had"):
        find_backbone("some-owner/some-model")
    assert sum(waits) < 10  # seconds between tries


def test_the_folder_of_a_pretraining_stands_for_the_model_in_it():
    model = Path("run/model")
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    assert find_backbone("run") == "run"  # no run: nothing says so
    record = Path("run/record.json")
    record.write_text('{"status": "finished", "verb": "pretrain"}')
    assert find_backbone("run") == str(model)
    record.write_text('{"status": "stopped", "verb": "pretrain"}')
    with pytest.raises(ThawlineError) as caught:
        find_backbone("run")
    assert str(caught.value) == (
        "expected a backbone's folder or name, found 'run', a run that did not finish; "
        "thawline pretrain --resume --out run goes on with it"
    )
    Path("run/config.json").write_text("{}")
    assert find_backbone("run") == "run"
