"""Another task's classifier as a backbone: what is below its head, however it was saved."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.toys import DEPTH, FAMILIES, LIMIT, toy_config
from thawline import TextClassifier, artifact
from thawline.backbones.copies import copy_base, load_native
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.origin import Origin
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted

pytestmark = pytest.mark.e2e

TOPICS = ("arts", "body", "cash", "dogs")
KINDS = {
    "own head": {"strategy": "full"},
    "mlp head": {"strategy": "last:2", "head": "mlp:8"},
    "native head": {"strategy": "full", "head": "native"},
    "live adapters": {"strategy": "lora:r=2"},
    "merged adapters": {"strategy": "lora:r=2"},
    "frozen": {"strategy": "head", "epochs": None, "lr": None},
}
Saved = Callable[..., tuple[Fitted, Path]]


@pytest.fixture(scope="module")
def saved(toy_backbone: Any, toy_reviews: Any, tmp_path_factory: Any) -> Saved:
    """Return what gives a classifier of 4 topics and its folder; do not change either."""
    made: dict[tuple[str, str], tuple[Fitted, Path]] = {}

    def save(family: str = "bert", kind: str = "own head") -> tuple[Fitted, Path]:
        if (family, kind) not in made:
            texts, _ = toy_reviews(24)
            own = {"epochs": 1, "lr": 1e-2 if "lora" in KINDS[kind]["strategy"] else 1e-3}
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
                fitted = fitted.merged()
            artifact.save(fitted, folder)
            made[family, kind] = fitted, folder
        return made[family, kind]

    return save


def merged_weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    """Return the weights below a classifier's head, by peft's own merge where it has adapters."""
    if fitted.adapter is None:
        return fitted.model.base_model.state_dict()
    return copy.deepcopy(fitted.adapter.peft).merge_and_unload().state_dict()


def given_pooler(backbone: Backbone) -> set[str]:
    """Return the names of weights that a native head leaves out of its checkpoint."""
    return {name for name in backbone.stack.model.state_dict() if name.startswith("pooler.")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_backbone_is_what_lies_below_the_head(saved, toy_backbone, family, kind):
    fitted, folder = saved(family, kind)
    pretrained, backbone = (load_backbone(str(name)) for name in (toy_backbone(family), folder))
    found, expected = backbone.stack.model.state_dict(), merged_weights(fitted)
    assert found.keys() == pretrained.stack.model.state_dict().keys()
    assert set(backbone.drawn) == found.keys() - expected.keys() <= given_pooler(backbone)
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
    for model in (copy_base(backbone), load_native(backbone, 3, seed=0).base_model):
        weights = backbone.stack.model.state_dict()
        assert all(torch.equal(weights[n], tensor) for n, tensor in model.state_dict().items())


def test_the_origin_tells_what_it_was(saved, toy_backbone):
    _, folder = saved("bert", "native head")
    origin = load_backbone(str(folder)).origin
    assert origin == Origin(str(folder), "full", str(toy_backbone("bert")), TOPICS)
    assert load_backbone(str(toy_backbone("bert"))).origin is None
    assert origin.described() == {
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


def test_a_pooler_that_the_base_lacks_is_still_known_to_be_drawn(
    toy_backbone, toy_reviews, tmp_path
):
    from transformers import AutoModel

    base = tmp_path / "base"
    shutil.copytree(toy_backbone("bert"), base)
    AutoModel.from_config(toy_config("bert"), add_pooling_layer=False).save_pretrained(base)
    classifier = TextClassifier(base, "lora:r=2", epochs=1, dtype="float32").fit(*toy_reviews(24))
    artifact.save(classifier.fitted_, tmp_path / "topics")
    backbone = load_backbone(str(tmp_path / "topics"))
    assert set(backbone.drawn) == given_pooler(backbone) != set()
    with pytest.warns(UserWarning, match="has no pooler"):
        load_native(backbone, 2, 0)


# Runs


def as_run(folder: Path, saved_at: Path | None, record: str = '{"status": "finished"}') -> Path:
    folder.mkdir()
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
        (False, '{"status": "finished"}'),
        (True, '{"status": "failed"}'),
        (True, '{"status": "running"}'),
        (True, '{"stat'),
        (True, "[]"),
    ],
)
def test_a_run_that_did_not_finish_is_refused(saved, tmp_path, model, record):
    run = as_run(tmp_path / "a run", saved()[1] if model else None, record)
    assert str(problem(run)) == (
        f"expected a backbone's folder or name, found '{run}', a run that did not finish; "
        f"thawline fit --resume --out '{run}' goes on with it"
    )


# What is hurt


@pytest.fixture
def copied(saved, tmp_path) -> Callable[[str], Path]:
    return lambda kind: Path(shutil.copytree(saved("bert", kind)[1], tmp_path / "copy"))


@pytest.mark.parametrize(
    ("kind", "part", "found"),
    [
        ("own head", "model.safetensors", "no model.safetensors"),
        ("own head", "config.json", "no config.json"),
        ("own head", "tokenizer.json", "no tokenizer.json"),
        ("native head", "model.safetensors", "no model.safetensors"),
        ("live adapters", "adapter/adapter_config.json", "Can't find 'adapter_config.json' at"),
        ("live adapters", "adapter/adapter_model.safetensors", "No such file or directory: "),
    ],
)
def test_a_folder_without_a_part_names_it(copied, kind, part, found):
    folder = copied(kind)
    (folder / part).unlink()
    error = problem(folder)
    assert error.expected == f"a whole saved classifier in '{folder}'"
    assert error.found.startswith(found)
    assert error.fix == "save it again, or run fit again"


def test_settings_that_are_damaged_are_told(copied):
    folder = copied("own head")
    (folder / "thawline.json").write_text('{"format": 1}', encoding="utf-8")
    assert problem(folder).found == "no 'labels' in thawline.json"
    (folder / "thawline.json").write_text('{"format"', encoding="utf-8")
    assert problem(folder).found.startswith("a damaged thawline.json (Expecting ':'")
    (folder / "thawline.json").write_text("[]", encoding="utf-8")
    assert problem(folder).found == "no 'format' in thawline.json"


def test_a_weight_that_the_head_lacks_does_not_matter_but_one_of_the_backbone_does(copied):
    from safetensors.torch import load_file, save_file

    folder = copied("own head")
    weights = load_file(folder / "model.safetensors")
    bias = weights.pop("head.0.bias")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_backbone(str(folder)).drawn == ()
    name = "backbone.encoder.layer.2.output.dense.weight"
    lost = weights.pop(name)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert str(problem(folder)) == (
        f"expected all weights of '{folder}', found 1 missing, encoder.layer.2.output.dense.weight "
        "the first; use the checkpoint that belongs to this config.json"
    )
    whole = weights | {"head.0.bias": bias, name: lost[:5]}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    assert problem(folder).found.startswith("encoder.layer.2.output.dense.weight of shape (5, 64)")


def test_adapters_whose_base_is_another_by_now_are_refused(copied, toy_backbone, tmp_path):
    folder = copied("live adapters")
    base = Path(shutil.copytree(toy_backbone("roberta"), tmp_path / "base"))
    settings = json.loads((folder / "thawline.json").read_text(encoding="utf-8"))
    known = settings["adapter"]["base_sha256"]
    settings["adapter"]["base"] = str(base)
    (folder / "thawline.json").write_text(json.dumps(settings), encoding="utf-8")
    error = problem(folder)
    assert error.expected == (
        f"the backbone '{base}' with the weights that the adapters in '{folder}' were trained on "
        f"(SHA-256 {known[:12]}…)"
    )
    assert error.fix == "put those weights back, or run fit again"
    shutil.rmtree(base)
    assert problem(folder).fix == (
        "put it there, or write where it is as the adapter's base in thawline.json"
    )
    settings["adapter"]["base"] = str(folder)
    (folder / "thawline.json").write_text(json.dumps(settings), encoding="utf-8")
    assert problem(folder).found == "these adapters themselves"
