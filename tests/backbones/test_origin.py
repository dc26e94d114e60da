"""The classifier of another task as a backbone: the part below its head, in every format."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.artifacts import without_checksums
from tests.support.records import fit_record
from tests.support.toys import DEPTH, FAMILIES, LIMIT, toy_config
from thawline import TextClassifier, artifact
from thawline.backbones.copies import build_native, copy_base
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.origin import Origin
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted
from thawline.runs.records import write_record

pytestmark = pytest.mark.e2e

TOPICS = ("arts", "body", "cash", "dogs")
KINDS = {
    "own head": {"strategy": "full"},
    "mlp head": {"strategy": "last:2", "head": "mlp:8"},
    "native head": {"strategy": "full", "head": "native"},
    "live adapters": {"strategy": "lora:r=2"},
    "merged adapters": {"strategy": "lora:r=2"},
    "frozen": {"strategy": "head", "epochs": None, "lr": None, "keep": "accuracy"},
}
Saved = Callable[..., tuple[Fitted, Path]]


@pytest.fixture(scope="module")
def saved(toy_backbone: Any, toy_reviews: Any, tmp_path_factory: Any) -> Saved:
    """Return a function that gives a classifier of 4 topics and its folder; change neither."""
    made: dict[tuple[str, str], tuple[Fitted, Path]] = {}

    def save(family: str = "bert", kind: str = "own head") -> tuple[Fitted, Path]:
        if (family, kind) not in made:
            texts, _ = toy_reviews(24)
            own = {
                "epochs": 1,
                "keep": "last",
                "lr": 1e-2 if "lora" in KINDS[kind]["strategy"] else 1e-3,
            }
            classifier = TextClassifier(
                toy_backbone(family),
                **own | KINDS[kind],
                dtype="float32",
                labels=TOPICS,
                max_length=12,
                truncation_side="left",
            )
            folder = tmp_path_factory.mktemp("saved") / "topics"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("THAWLINE_HOME", str(folder.with_name("home")))
                fitted = classifier.fit(texts, [row % 4 for row in range(24)]).fitted_
            if kind == "merged adapters":
                fitted = fitted.merge_adapters()
            artifact.save(fitted, folder)
            made[family, kind] = fitted, folder
        return made[family, kind]

    return save


def merged_weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    """Return the weights below a classifier's head, by peft's own merge where it has adapters."""
    if fitted.adapter is None:
        return fitted.model.base_model.state_dict()
    return copy.deepcopy(fitted.adapter.peft).merge_and_unload().state_dict()


def pooler_names(backbone: Backbone) -> set[str]:
    """Return the names of weights that a native head leaves out of its checkpoint."""
    return {name for name in backbone.stack.model.state_dict() if name.startswith("pooler.")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_backbone_is_what_lies_below_the_head(saved, toy_backbone, family, kind):
    fitted, folder = saved(family, kind)
    pretrained, backbone = (load_backbone(str(name)) for name in (toy_backbone(family), folder))
    found, expected = backbone.stack.model.state_dict(), merged_weights(fitted)
    assert found.keys() == pretrained.stack.model.state_dict().keys()
    assert set(backbone.random_weights) == found.keys() - expected.keys() <= pooler_names(backbone)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-7 if "adap" in kind else 0)
    assert type(backbone.stack.model) is type(pretrained.stack.model)
    assert backbone.stack.depth == DEPTH
    assert not any(module.training for module in backbone.stack.model.modules())
    assert {p.dtype for p in backbone.stack.model.parameters()} == {torch.float32}
    assert not [name for name in found if "lora" in name or "base_layer" in name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_its_states_are_stored_under_another_key_unless_they_are_the_same(
    saved, toy_backbone, family, kind
):
    _, folder = saved(family, kind)
    same = load_backbone(str(folder)).digest() == load_backbone(str(toy_backbone(family))).digest()
    assert same == (kind == "frozen")
    assert load_backbone(str(folder)).digest() == load_backbone(str(folder)).digest()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_where_the_classifier_cut_texts_does_not_matter(saved, family, kind):
    _, folder = saved(family, kind)
    assert artifact.load(folder).reading.max_length == 12
    backbone = load_backbone(str(folder))
    assert (backbone.limit, backbone.resolve_max_length(None)) == (LIMIT, LIMIT)
    assert backbone.tokenizer.truncation_side == "right"
    assert backbone.tokenizer.backend_tokenizer.truncation is None
    assert backbone.tokenizer.pad_token_id == backbone.stack.model.config.pad_token_id


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_left_of_the_old_classes(saved, family, kind):
    backbone = load_backbone(str(saved(family, kind)[1]))
    config = backbone.stack.model.config
    assert config.num_labels == 2
    assert not set(TOPICS) & {*config.id2label.values(), *config.label2id}
    assert not set(TOPICS) & set(json.dumps(config.to_dict()).replace('"', " ").split())
    for model in (copy_base(backbone), build_native(backbone, 3, seed=0).base_model):
        weights = backbone.stack.model.state_dict()
        assert all(torch.equal(weights[n], tensor) for n, tensor in model.state_dict().items())


def test_the_origin_describes_the_classifier(saved, toy_backbone):
    _, folder = saved("bert", "native head")
    origin = load_backbone(str(folder)).origin
    assert origin == Origin(str(folder), "full", str(toy_backbone("bert")), TOPICS)
    assert load_backbone(str(toy_backbone("bert"))).origin is None
    assert origin.to_dict() == {
        "folder": str(folder),
        "strategy": "full",
        "backbone": str(toy_backbone("bert")),
        "labels": list(TOPICS),
    }


def test_adapters_are_folded_in_to_the_same_bits_on_any_number_of_threads(saved):
    _, folder = saved("bert", "live adapters")
    digests, threads = set(), torch.get_num_threads()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            digests.add(load_backbone(str(folder)).digest())
    finally:
        torch.set_num_threads(threads)
    assert len(digests) == 1


def test_folding_leaves_the_random_state_alone(saved):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_backbone(str(saved("bert", "live adapters")[1]))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pooler_that_the_base_lacks_is_listed_as_random(toy_backbone, toy_reviews, tmp_path):
    from transformers import AutoModel

    base = tmp_path / "base"
    shutil.copytree(toy_backbone("bert"), base)
    AutoModel.from_config(toy_config("bert"), add_pooling_layer=False).save_pretrained(base)
    classifier = TextClassifier(base, "lora:r=2", epochs=1, dtype="float32").fit(*toy_reviews(24))
    artifact.save(classifier.fitted_, tmp_path / "topics")
    backbone = load_backbone(str(tmp_path / "topics"))
    assert set(backbone.random_weights) == pooler_names(backbone) != set()
    with pytest.warns(UserWarning, match=r"topics' .*pooler"):
        build_native(backbone, 2, 0)


# Runs


def as_run(folder: Path, saved_at: Path | None, record: str | None = None) -> Path:
    folder.mkdir()
    if record is None:
        write_record(folder / "record.json", fit_record())
    else:
        (folder / "record.json").write_text(record, encoding="utf-8")
    if saved_at is not None:
        shutil.copytree(saved_at, folder / "model")
    return folder


def problem(name: Path) -> ThawlineError:
    with pytest.raises(ThawlineError) as caught:
        load_backbone(str(name))
    return caught.value


def test_a_run_stands_for_the_model_in_it(saved, toy_backbone, tmp_path):
    _, folder = saved()
    run = as_run(tmp_path / "run", folder)
    backbone = load_backbone(str(run))
    assert (backbone.name, backbone.path) == (str(run), str(run / "model"))
    assert backbone.digest() == load_backbone(str(folder)).digest()
    pretrained = as_run(tmp_path / "pretrained", toy_backbone())
    assert load_backbone(str(pretrained)).digest() == load_backbone(str(toy_backbone())).digest()


@pytest.mark.parametrize(
    ("model", "record"),
    [
        (False, None),
        (True, '{"verb": "fit", "status": "failed"}'),
        (True, '{"verb": "fit", "status": "running"}'),
    ],
)
def test_a_run_that_did_not_finish_is_refused(saved, tmp_path, model, record):
    run = as_run(tmp_path / "a run", saved()[1] if model else None, record)
    error = problem(run)
    assert error.found.startswith(f"'{run}'")
    assert f"thawline fit --resume --out '{run}'" in error.fix


@pytest.mark.parametrize("record", ['{"stat', "[]", '{"status": "finished"}'])
def test_a_damaged_record_is_reported(saved, tmp_path, record):
    run = as_run(tmp_path / "a run", saved()[1], record)
    assert f"'{run / 'record.json'}'" in problem(run).expected


# Damaged artifacts


@pytest.fixture
def copied(saved, tmp_path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(saved("bert", kind)[1], tmp_path / "copy"))


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("own head", "model.safetensors"),
        ("own head", "config.json"),
        ("own head", "tokenizer.json"),
        ("native head", "model.safetensors"),
        ("live adapters", "adapter/adapter_config.json"),
        ("live adapters", "adapter/adapter_model.safetensors"),
    ],
)
def test_a_missing_part_is_named(copied, kind, part):
    folder = copied(kind)
    (folder / part).unlink()
    error = problem(folder)
    assert f"'{folder}'" in error.expected
    if part != "adapter/adapter_model.safetensors":  # safetensors does not name a missing file
        assert Path(part).name in error.found
    assert "run fit again" in error.fix


@pytest.mark.parametrize(
    ("content", "found"),
    [('{"format": 1}', "'labels'"), ('{"format"', "Expecting ':'"), ("[]", "'format'")],
)
def test_damaged_settings_are_refused(copied, content, found):
    folder = copied("own head")
    (folder / "thawline.json").write_text(content, encoding="utf-8")
    error = problem(folder)
    assert found in error.found
    assert "thawline.json" in error.expected


def test_a_weight_that_the_head_lacks_does_not_matter_but_one_of_the_backbone_does(copied):
    from safetensors.torch import load_file, save_file

    folder = copied("own head")
    without_checksums(folder)
    weights = load_file(folder / "model.safetensors")
    bias = weights.pop("head.0.bias")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_backbone(str(folder)).random_weights == ()
    name = "backbone.encoder.layer.2.output.dense.weight"
    lost = weights.pop(name)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    error = problem(folder)
    assert f"'{folder}'" in error.expected
    assert error.found.startswith("1 ")
    assert "encoder.layer.2.output.dense.weight" in error.found
    whole = weights | {"head.0.bias": bias, name: lost[:5]}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    found = problem(folder).found
    assert all(part in found for part in ("encoder.layer.2.output.dense.weight", "(5, 64)"))


def test_adapters_whose_base_has_changed_are_refused(copied, toy_backbone, tmp_path):
    folder = copied("live adapters")
    base = Path(shutil.copytree(toy_backbone("roberta"), tmp_path / "base"))
    settings = json.loads((folder / "thawline.json").read_text(encoding="utf-8"))
    known = settings["adapter"]["base_sha256"]
    settings["adapter"]["base"] = str(base)
    (folder / "thawline.json").write_text(json.dumps(settings), encoding="utf-8")
    error = problem(folder)
    assert all(part in error.expected for part in (f"'{base}'", f"'{folder}'", known[:12]))
    assert known[:12] not in error.found
    shutil.rmtree(base)
    error = problem(folder)
    assert all(part in error.expected for part in (f"'{base}'", f"'{folder}'"))
    assert "thawline.json" in error.fix
    settings["adapter"]["base"] = str(folder)
    (folder / "thawline.json").write_text(json.dumps(settings), encoding="utf-8")
    error = problem(folder)
    assert error.expected.count(f"'{folder}'") == 2  # as the base and as the adapters' folder
    assert "adapters" in error.found
