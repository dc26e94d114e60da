"""Training a toy backbone on its own objective first, and sharing it between runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.command_line import ProverHere, write_set, write_table
from tests.support.tasks import FP32, part
from tests.support.toys import FAMILIES, OWN, toy_config, toy_tokenizer
from thawline import TextClassifier
from thawline.backbones.loading import Backbone, load_backbone
from thawline.compare.ladder import run_ladder
from thawline.config import Config, DataConfig, LadderConfig, TaptConfig, TrainingConfig
from thawline.errors import ThawlineError
from thawline.jobs import fit as job
from thawline.jobs.evaluate import evaluate_run
from thawline.jobs.fit import fit_run
from thawline.pretraining import tapt
from thawline.pretraining.tapt import Adaptation, adapt_backbone, plan_adaptation
from thawline.runs.records import AdaptedBackbone
from thawline.runtime.progress import Reporter
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.plan import make_plan

Reviews = Callable[..., tuple[list[str], list[int]]]
MODELS = [family for family in FAMILIES if family not in OWN]
SETTINGS = TaptConfig(epochs=4, lr=6e-3, head_first_epochs=2)


class Notebook(Reporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def message(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="session")
def masking_backbone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns the folder of a toy backbone, with a mask token."""
    folders: dict[str, Path] = {}

    def make(family: str = "bert") -> Path:
        if family not in folders:
            from transformers import AutoModel

            folder = folders[family] = tmp_path_factory.mktemp(f"tapt-{family}")
            torch.manual_seed(0)
            AutoModel.from_config(toy_config(family)).save_pretrained(folder)
            tokenizer = toy_tokenizer(causal=family in ("qwen3", "llama"))
            tokenizer.mask_token = "[UNK]"
            tokenizer.save_pretrained(folder)
        return folders[family]

    return make


@pytest.fixture
def adaptation(
    masking_backbone: Callable[[str], Path], toy_reviews: Reviews
) -> Callable[..., Adaptation]:
    def make(family: str = "bert", strategy: str = "tapt+head", **settings: Any) -> Adaptation:
        folder = str(masking_backbone(family))
        config = Config(folder, strategy, compute=FP32, tapt=replace(SETTINGS, **settings))
        backbone = load_backbone(folder)
        parts = {"train": part(*toy_reviews(48, 1)), "validation": part(*toy_reviews(8, 2))}
        made = plan_adaptation(backbone, make_plan(backbone, config), config, parts)
        assert made is not None
        return made

    return make


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the backbones that were trained."""
    done: list[Path] = []
    original = tapt._train

    def train(adaptation: Adaptation, *given: Any) -> None:
        original(adaptation, *given)
        done.append(adaptation.folder)

    monkeypatch.setattr(tapt, "_train", train)
    return done


def weights(backbone: Backbone) -> dict[str, Tensor]:
    return dict(backbone.stack.model.state_dict())


@pytest.mark.parametrize("family", MODELS)
def test_the_loss_falls_and_the_backbone_changes(
    adaptation: Callable[..., Adaptation], family: str
) -> None:
    planned, notebook = adaptation(family), Notebook()
    adapted, summary = adapt_backbone(planned, notebook)
    losses = [row.validation_loss for row in summary.history]
    assert len(losses) == 1 + SETTINGS.epochs
    assert min(losses) < 0.98 * losses[0]
    assert (summary.train, summary.held_out) == (46, 2)
    causal = planned.backbone.stack.family.causal
    assert summary.objective == ("next token" if causal else "masked tokens")
    assert not summary.pretrained_head
    assert any(planned.backbone.name in note for note in notebook.notes)  # a warning
    before, now = weights(planned.backbone), weights(adapted)
    assert before.keys() == now.keys()
    changed = {name for name in now if not torch.equal(before[name], now[name])}
    assert changed
    assert not any(name.startswith("pooler.") for name in changed)
    assert adapted.digest() != planned.backbone.digest()
    assert Path(adapted.name) == planned.folder == Path(summary.folder)


def test_a_new_head_trains_alone_first(
    adaptation: Callable[..., Adaptation], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[set[str]] = []
    original = tapt.train

    def train(objective: Any, *given: Any, **named: Any) -> Any:
        model = objective.module.model
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        history = original(objective, *given, **named)
        now = model.state_dict()
        trained.append({name for name in now if not torch.equal(now[name], before[name])})
        return history

    monkeypatch.setattr(tapt, "train", train)
    _, summary = adapt_backbone(adaptation(), Reporter())
    alone, together = trained
    assert alone
    assert all(name.startswith("cls.") for name in alone)
    assert any(name.startswith("bert.encoder") for name in together)
    assert len(summary.head_history) == 1 + SETTINGS.head_first_epochs
    (kept,) = [row for row in summary.head_history if row.kept]
    assert summary.history[0].validation_loss == pytest.approx(kept.validation_loss)


def test_it_is_trained_once_for_the_same_texts_and_settings(
    adaptation: Callable[..., Adaptation], trainings: list[Path]
) -> None:
    first, summary = adapt_backbone(adaptation(), Reporter())
    again, reused = adapt_backbone(adaptation(strategy="tapt+lp+last:1"), Reporter())
    assert len(trainings) == 1
    assert again.digest() == first.digest()
    assert (summary.reused, reused.reused) == (False, True)
    assert reused.model_copy(update={"reused": False}) == summary
    folders = {adaptation().folder}
    folders |= {adaptation(epochs=2).folder, adaptation(lr=1e-3).folder}
    folders |= {adaptation(mask_share=0.3).folder, adaptation("roberta").folder}
    folders |= {adaptation(head_first_epochs=1).folder}
    assert len(folders) == 6


def test_other_texts_give_another_backbone(
    adaptation: Callable[..., Adaptation], toy_reviews: Reviews
) -> None:
    planned = adaptation()
    write_table(Path("more.csv"), toy_reviews(20, 7)[0], [-1] * 20)
    more = adaptation(unlabelled=("more.csv",))
    assert (planned.unlabelled, more.unlabelled) == (0, 20)
    assert len(more.train) + len(more.held_out) == 68
    assert planned.folder != more.folder


def test_unlabelled_texts_may_be_the_lines_of_a_file(
    adaptation: Callable[..., Adaptation],
) -> None:
    Path("more.txt").write_text("a film of my own\n\nanother one\n", encoding="utf-8")
    assert adaptation(unlabelled=("more.txt",)).unlabelled == 2
    Path("more.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(ThawlineError) as caught:
        adaptation(unlabelled=("more.txt",))
    assert caught.value.setting == "tapt.unlabelled"


def test_copies_of_validation_and_test_texts_are_left_out(
    masking_backbone: Callable[[str], Path], toy_reviews: Reviews
) -> None:
    train, validation, test = (toy_reviews(20, seed) for seed in (1, 2, 3))
    train[0][0] = test[0][0]  # a training text that is in test
    write_table(
        Path("more.csv"),
        [*train[0][5:8], *validation[0][:3], *test[0][:3], f" {test[0][3].upper()}  ", "new"],
        [0] * 11,
    )
    folder = str(masking_backbone("bert"))
    given = TaptConfig(unlabelled=("more.csv",))
    config = Config(folder, "tapt+head", compute=FP32, tapt=given)
    backbone = load_backbone(folder)
    parts = {"train": part(*train), "validation": part(*validation), "test": part(*test)}
    found = plan_adaptation(backbone, make_plan(backbone, config), config, parts)
    assert found is not None
    assert found.removed == 7
    assert found.unlabelled == 1
    assert {*found.train, *found.held_out} == {*train[0][1:], "new"}


def test_other_strategies_need_no_adaptation(
    masking_backbone: Callable[[str], Path], toy_reviews: Reviews
) -> None:
    backbone = load_backbone(str(masking_backbone("bert")))
    config = Config(backbone.name)
    parts = {"train": part(*toy_reviews(4, 1))}
    assert plan_adaptation(backbone, make_plan(backbone, config), config, parts) is None


@pytest.mark.parametrize("family", ["bert", "thawline-glove"])
def test_a_backbone_that_cannot_predict_tokens_is_refused(
    toy_backbone: Callable[[str], Path], toy_reviews: Reviews, family: str
) -> None:
    with pytest.raises(ThawlineError) as caught:
        TextClassifier(toy_backbone(family), "tapt+head").fit(*toy_reviews(32))
    assert caught.value.setting == "strategy"
    assert str(toy_backbone(family)) in caught.value.found


class Stopped(Exception):
    pass


@pytest.mark.parametrize(("family", "stop"), [("bert", 1), ("bert", 4), ("qwen3", 2)])
def test_a_stopped_training_continues_bit_for_bit(
    adaptation: Callable[..., Adaptation], monkeypatch: pytest.MonkeyPatch, family: str, stop: int
) -> None:
    """It stops while the head trains alone, or while the backbone trains too."""
    planned = adaptation(family)
    whole, _ = adapt_backbone(planned, Reporter())
    monkeypatch.setenv("THAWLINE_HOME", str(Path("other").absolute()))
    saved: list[int] = []
    original = CheckpointFolder.save

    def save(self: CheckpointFolder, training: Any) -> None:
        original(self, training)
        saved.append(training.done)
        if len(saved) == stop:
            raise Stopped

    monkeypatch.setattr(CheckpointFolder, "save", save)
    with pytest.raises(Stopped):
        adapt_backbone(planned, Reporter())
    assert not planned.folder.exists()
    resumed, summary = adapt_backbone(planned, Reporter())
    per_epoch = saved[0]
    alone = SETTINGS.head_first_epochs if family == "bert" else 0
    epochs = [*range(1, alone + 1), *range(1, SETTINGS.epochs + 1)]
    assert saved == [per_epoch * epoch for epoch in epochs]
    for name, tensor in weights(whole).items():
        assert torch.equal(weights(resumed)[name], tensor), name
    assert len(summary.history) == 1 + SETTINGS.epochs
    assert {path.name for path in planned.folder.parent.iterdir()} == {planned.folder.name}


def test_a_damaged_backbone_is_trained_again(
    adaptation: Callable[..., Adaptation], trainings: list[Path]
) -> None:
    planned = adaptation(epochs=1)
    first, _ = adapt_backbone(planned, Reporter())
    digest = first.digest()
    (planned.folder / "model.safetensors").unlink()  # the file is mapped into memory
    (planned.folder / "model.safetensors").write_bytes(b"damaged")
    again, summary = adapt_backbone(planned, Reporter())
    assert len(trainings) == 2
    assert again.digest() == digest
    assert not summary.reused


@pytest.mark.e2e
class TestFits:
    @pytest.fixture(autouse=True)
    def _prove_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
        monkeypatch.setattr(job, "_draw", lambda *given: [])

    @pytest.fixture
    def config(self, masking_backbone: Callable[[str], Path], toy_reviews: Reviews) -> Config:
        splits = {"train": toy_reviews(40, 1), "test": toy_reviews(16, 2)}
        data = DataConfig(data=str(write_set(Path("films"), splits)), labels=("neg", "pos"))
        return Config(
            str(masking_backbone("bert")),
            "tapt+head",
            data=data,
            compute=FP32,
            tapt=SETTINGS,
        )

    def test_the_record_says_what_was_trained_and_the_classifier_scores_the_same(
        self, config: Config
    ) -> None:
        record = fit_run(config, Path("run"), Reporter())
        assert record.strategy == "tapt+head"
        assert isinstance(record.tapt, AdaptedBackbone)
        assert not record.tapt.reused
        assert not record.tapt.history[0].kept  # otherwise the backbone would be the same
        assert record.seconds.tapt is not None
        assert record.seconds.tapt >= record.tapt.seconds > 0
        assert record.backbone.name == config.backbone
        again = evaluate_run(Path("run"), None, "test", FP32, Reporter())
        assert again.accuracy == record.test.accuracy
        plain = fit_run(replace(config, strategy="head", tapt=TaptConfig()), Path("plain"))
        assert plain.tapt is None
        assert plain.store != record.store
        assert plain.backbone == record.backbone

    def test_a_run_is_not_resumed_with_other_unlabelled_texts(
        self, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_table(Path("more.csv"), ["some text", "another text"], [0, 0])
        given = replace(config, tapt=replace(config.tapt, unlabelled=("more.csv",)))
        monkeypatch.setattr(job, "adapt", None)  # so that the fit fails after the adaptation
        with pytest.raises(TypeError):
            fit_run(given, Path("run"), Reporter())
        write_table(Path("more.csv"), ["some text", "a third text"], [0, 0])
        with pytest.raises(ThawlineError) as caught:
            fit_run(given, Path("run"), Reporter(), resume=True)
        assert "'run'" in caught.value.expected

    def test_adapters_name_the_adapted_backbone_as_their_base(self, config: Config) -> None:
        training = TrainingConfig(epochs=1, lr=1e-2)
        record = fit_run(
            replace(config, strategy="tapt+lora", training=training), Path("run"), Reporter()
        )
        assert record.tapt is not None
        assert record.tapt.folder in Path("run/model/thawline.json").read_text(encoding="utf-8")
        again = evaluate_run(Path("run"), None, "test", FP32, Reporter())
        assert again.accuracy == record.test.accuracy

    def test_the_rungs_and_seeds_of_a_ladder_share_the_backbone(
        self, config: Config, trainings: list[Path]
    ) -> None:
        rungs = ("head", "tapt+head", "tapt+last:1 training.epochs=1")
        ladder = LadderConfig(rungs=rungs, seeds=(0, 1), fit=config)
        record = run_ladder(ladder, Path("ladder"), Notebook())
        assert [rung.rung for rung in record.rungs] == ["head", "tapt+head", "tapt+last:1"]
        assert len(trainings) == 1

    def test_a_classifier_of_scikit_learn_trains_on_its_own_texts(
        self, config: Config, toy_reviews: Reviews, trainings: list[Path]
    ) -> None:
        classifier = TextClassifier(config.backbone, "tapt+head", dtype="float32")
        classifier.fit(*toy_reviews(32, 1)).fit(*toy_reviews(32, 1))
        assert len(trainings) == 1
        assert len(classifier.predict(["a lovely film"])) == 1
