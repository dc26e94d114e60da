"""Low-rank adapters: no effect at first, the right blocks, exact counts, and parity with peft."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModel, PreTrainedModel

from tests.support.command_line import thawline
from tests.support.toys import DEPTH, FAMILIES, LIMIT, ROUNDING, WIDTH, WORDS, as_inputs
from thawline import TextClassifier
from thawline.backbones.adapters import merge_adapters
from thawline.backbones.copies import build_native, copy_base
from thawline.backbones.families import FAMILIES as REGISTERED
from thawline.backbones.families import Family
from thawline.backbones.loading import Backbone, load_backbone
from thawline.config import Config, HeadConfig
from thawline.data import Labels
from thawline.errors import ThawlineError
from thawline.inference.fitted import count_parameters
from thawline.jobs.info import describe
from thawline.models.heads import build_head
from thawline.models.lora import Adapter, add_adapters, base_digest, load_adapters, thaw
from thawline.prefix.report import PassReport
from thawline.strategies import Lora, parse_strategy
from thawline.training.adapt import FrozenStates, Task
from thawline.training.blocks import make_classifier
from thawline.training.plan import make_plan

Backbones = Callable[[str], Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
LABELS = Labels(("neg", "pos"), (0, 1))
VARIANTS = ("", ",dora=true", ",rslora=true")


def task_of(folder: Path, strategy: str, head: str, seed: int = 3) -> Task:
    config = Config(str(folder), strategy, seed, head=HeadConfig(head=head))
    backbone = load_backbone(str(folder))
    return Task(
        backbone,
        make_plan(backbone, config),
        config,
        LABELS,
        {},
        FrozenStates({}, None, {}, PassReport()),
    )


def some_texts() -> dict[str, Tensor]:
    ids = torch.randint(4, len(WORDS), (3, LIMIT), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    return as_inputs(ids * mask, mask)


@torch.inference_mode()
def logits(model: PreTrainedModel) -> Tensor:
    return model.eval()(**some_texts()).logits


def adapted(backbone: Backbone, written: str) -> Adapter:
    lora = parse_strategy(written)
    assert isinstance(lora, Lora)
    return add_adapters(backbone.stack, lora, "its name")


def names_of(adapter: Adapter) -> set[str]:
    """The adapted layers, under their names in the base model."""
    names = (name for name, _ in adapter.peft.get_base_model().named_parameters())
    return {name.partition(".lora_A")[0] for name in names if ".lora_A" in name}


def assert_same(found: Tensor, expected: Tensor, family: str) -> None:
    """To the bit, but for a family that cannot."""
    torch.testing.assert_close(found, expected, rtol=0, atol=ROUNDING.get(family, 0) / 100)


class TestStepZero:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_with_a_native_head_it_is_the_untrained_classifier(
        self, toy_backbone: Backbones, family: str
    ) -> None:
        task = task_of(toy_backbone(family), "lora:r=4", "native")
        model, adapter = make_classifier(task)
        assert adapter is not None
        assert names_of(adapter)
        plain = build_native(task.backbone, 2, task.config.seed)
        assert_same(logits(model), logits(plain), family)
        assert logits(model).std(0).min() > 0

    @pytest.mark.parametrize(("head", "variant"), [("linear", ""), ("mlp:8", ",dora=true")])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_with_a_head_of_ours_too(
        self, toy_backbone: Backbones, family: str, head: str, variant: str
    ) -> None:
        strategy = "lora:from=2,targets=" + all_targets(family) + variant
        task = task_of(toy_backbone(family), strategy, head)
        model, adapter = make_classifier(task)
        assert adapter is not None
        torch.manual_seed(task.config.seed)
        fresh = build_head(task.plan.head, WIDTH, 2, 0.0)
        plain = task.with_own_head(copy_base(task.backbone), fresh, (DEPTH,))
        assert_same(logits(model), logits(plain), family)

    @pytest.mark.parametrize(
        ("family", "target"),
        [("bert", "value"), ("thawline-glove", "linear1"), ("thawline-glove", "linear2")],
    )
    def test_an_adapter_that_has_learnt_makes_a_difference(
        self, toy_backbone: Backbones, family: str, target: str
    ) -> None:
        strategy = f"lora:targets={target}"
        model, adapter = make_classifier(task_of(toy_backbone(family), strategy, "linear"))
        before = logits(model)
        fill(adapter)
        assert (logits(model) - before).abs().max() > 1e-3


def all_targets(family: str) -> str:
    named = {
        "bert": "query+key+value+dense",
        "roberta": "query+value",
        "distilbert": "q_lin+k_lin+v_lin+out_lin+lin1+lin2",
        "modernbert": "Wqkv+Wo+Wi",
        "qwen3": "q_proj+k_proj+v_proj+o_proj+gate_proj+up_proj+down_proj",
        "llama": "q_proj+v_proj",
        "thawline-glove": "linear1+linear2",
    }
    return named[family]


def fill(adapter: Adapter | None) -> None:
    """Give the factors that are 0 at first other values, as training does."""
    assert adapter is not None
    random = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in adapter.peft.named_parameters():
            if ".lora_magnitude" in name:
                parameter.mul_(1 + torch.rand(parameter.shape, generator=random) / 10)
            if ".lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.1)


class TestTargets:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_by_default_the_query_projection_of_every_block(
        self, toy_backbone: Backbones, family: str
    ) -> None:
        backbone = load_backbone(str(toy_backbone(family)))
        names = names_of(adapted(backbone, "lora"))
        query, blocks = backbone.stack.family.query, backbone.stack.family.blocks
        assert {name.rpartition(".")[2] for name in names} == set(query.split("+"))
        assert {name.removeprefix(f"{blocks}.")[0] for name in names} == set("0123")
        assert len(names) == DEPTH * len(query.split("+"))

    @pytest.mark.parametrize("family", FAMILIES)
    def test_blocks_count_from_1_and_are_named_as_in_the_whole_model(
        self, toy_backbone: Backbones, family: str
    ) -> None:
        backbone = load_backbone(str(toy_backbone(family)))
        names = names_of(adapted(backbone, "lora:from=3"))
        blocks = backbone.stack.family.blocks
        assert {name.removeprefix(f"{blocks}.")[0] for name in names} == {"2", "3"}
        assert len(names) == 2 * len(backbone.stack.family.query.split("+"))

    def test_several_are_joined_by_a_plus(self, toy_backbone: Backbones) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        names = names_of(adapted(backbone, "lora:targets=query+value,from=4"))
        attention = "encoder.layer.3.attention.self"
        assert names == {f"{attention}.query", f"{attention}.value"}

    def test_a_longer_name_tells_two_of_a_name_apart(self, toy_backbone: Backbones) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        names = names_of(adapted(backbone, "lora:targets=intermediate.dense,from=4"))
        assert names == {"encoder.layer.3.intermediate.dense"}

    @pytest.mark.parametrize(
        ("family", "target", "known", "meant"),
        [
            ("bert", "qurey", "query, key, value, dense", "query"),
            ("distilbert", "qlin", "q_lin, k_lin, v_lin, out_lin, lin1, lin2", "q_lin"),
            ("modernbert", "everything", "Wqkv, Wo, Wi", None),
            ("thawline-glove", "out_proj", "linear1, linear2", None),
            ("thawline-glove", "query", "linear1, linear2", None),
        ],
    )
    def test_an_unknown_target_is_refused(
        self, toy_backbone: Backbones, family: str, target: str, known: str, meant: str | None
    ) -> None:
        backbone = load_backbone(str(toy_backbone(family)))
        with pytest.raises(ThawlineError) as caught:
            adapted(backbone, f"lora:targets={target}")
        error = caught.value
        assert error.setting == "strategy"
        assert error.found.startswith(f"'{target}'")
        assert f"({known})" in error.expected
        hints = known.split(", ") if meant is None else [f"'{meant}'"]
        assert all(hint in error.fix for hint in hints)
        assert ("attention" in error.found) == (target == "out_proj")

    def test_one_wrong_target_of_two_is_named(self, toy_backbone: Backbones) -> None:
        done = thawline(
            "info", "--backbone", toy_backbone("bert"), "--strategy", "lora:targets=query+vale"
        )
        assert done.code == 2
        assert all(name in done.err for name in ("'vale'", "'value'"))

    def test_rank_alpha_and_dropout_reach_peft(self, toy_backbone: Backbones) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        config = adapted(backbone, "lora:r=3,alpha=12,dropout=0.2").peft.peft_config["default"]
        assert (config.r, config.lora_alpha, config.lora_dropout) == (3, 12, 0.2)
        assert config.base_model_name_or_path == "its name"

    def test_variants_reach_peft_and_count_their_magnitudes(self, toy_backbone: Backbones) -> None:
        sizes = {}
        for variant in VARIANTS:
            adapter = adapted(load_backbone(str(toy_backbone("bert"))), "lora:r=4" + variant)
            config = adapter.peft.peft_config["default"]
            assert config.use_dora == ("dora" in variant)
            assert config.use_rslora == ("rslora" in variant)
            sizes[variant] = count_parameters(adapter.peft)["trainable"]
        assert sizes[",rslora=true"] == sizes[""]
        assert sizes[",dora=true"] == sizes[""] + DEPTH * WIDTH

    def test_rslora_divides_by_the_square_root_of_the_rank(self, toy_backbone: Backbones) -> None:
        outputs = {}
        for written in ("lora:r=4,alpha=8,rslora=true", "lora:r=4,alpha=16"):
            adapter = adapted(load_backbone(str(toy_backbone("bert"))), written)
            with torch.no_grad():
                for name, parameter in adapter.peft.named_parameters():
                    if ".lora_" in name:
                        parameter.fill_(0.01)
            outputs[written] = states(adapter.peft)
        first, second = outputs.values()
        torch.testing.assert_close(first, second)


class TestThaw:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_adapters_and_head_train_and_nothing_else(
        self, toy_backbone: Backbones, family: str
    ) -> None:
        model, _ = make_classifier(task_of(toy_backbone(family), "lora:from=3", "native"))
        base = f"{model.base_model_prefix}."
        trains = {name for name, p in model.named_parameters() if p.requires_grad}
        of_the_base = {name for name in trains if name.startswith(base)}
        heads = {name for name, _ in model.named_parameters() if not name.startswith(base)}
        assert of_the_base
        assert all(".lora_A." in name or ".lora_B." in name for name in of_the_base)
        assert trains - of_the_base == heads

    def test_without_adapters_blocks_train_and_there_are_none_to_save(
        self, toy_backbone: Backbones
    ) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        assert thaw(build_native(backbone, 2, 0), parse_strategy("last:1"), backbone) is None


class TestDigest:
    def test_adapters_do_not_change_it_and_any_weight_does(self, toy_backbone: Backbones) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        plain = base_digest(backbone.stack.model)
        adapter = adapted(backbone, "lora")
        fill(adapter)
        assert adapter.base_digest() == plain
        with torch.no_grad():
            next(backbone.stack.blocks[0].parameters()).view(-1)[0] += 1e-3
        assert adapter.base_digest() != plain

    @pytest.mark.parametrize("family", FAMILIES)
    def test_it_is_the_same_below_a_native_head(self, toy_backbone: Backbones, family: str) -> None:
        backbone = load_backbone(str(toy_backbone(family)))
        native = build_native(backbone, 2, 0).base_model
        assert base_digest(native) == base_digest(backbone.stack.model)


class TestFiles:
    @pytest.mark.parametrize("variant", VARIANTS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_what_was_trained_above_the_line_is_what_plain_peft_loads(
        self,
        toy_backbone: Backbones,
        toy_reviews: Reviews,
        tmp_path: Path,
        family: str,
        variant: str,
    ) -> None:
        strategy = "lora:from=3,r=2,targets=" + all_targets(family) + variant
        classifier = TextClassifier(
            toy_backbone(family), strategy, lr=1e-2, epochs=2, keep="last", dtype="float32"
        )
        fitted = classifier.fit(*toy_reviews(24)).fitted_
        assert fitted.adapter is not None
        fitted.adapter.save(tmp_path / "adapter")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            plain = AutoModel.from_pretrained(toy_backbone(family)).eval()
            before = states(plain)
            loaded = PeftModel.from_pretrained(plain, str(tmp_path / "adapter")).eval()
        ours = states(fitted.model.base_model)
        torch.testing.assert_close(states(loaded), ours, rtol=0, atol=1e-6)
        assert (ours - before).abs().max() > 1e-3

    def test_they_are_peft_s_own_and_name_the_base_as_the_user_did(
        self, toy_backbone: Backbones, tmp_path: Path
    ) -> None:
        backbone = load_backbone(str(toy_backbone("bert")))
        adapter = adapted(backbone, "lora:from=3")
        adapter.save(tmp_path / "adapter")
        files = {path.name for path in (tmp_path / "adapter").iterdir()}
        assert files == {"adapter_config.json", "adapter_model.safetensors"}
        written = (tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8")
        assert '"base_model_name_or_path": "its name"' in written
        assert str(toy_backbone("bert")) not in written

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_they_load_back_into_a_backbone(
        self, toy_backbone: Backbones, tmp_path: Path, variant: str
    ) -> None:
        folder = str(toy_backbone("qwen3"))
        written = "lora:r=3,alpha=12,targets=q_proj+v_proj,from=2" + variant
        adapter = adapted(load_backbone(folder), written)
        fill(adapter)
        adapter.save(tmp_path / "adapter")
        fresh = load_backbone(folder)
        loaded = load_adapters(fresh.stack, tmp_path / "adapter", "its name")
        assert torch.equal(states(loaded.peft), states(adapter.peft))
        assert loaded.base_digest() == adapter.base_digest()
        assert not any(p.requires_grad for p in loaded.peft.parameters())

    @pytest.mark.parametrize("variant", VARIANTS)
    @pytest.mark.parametrize("family", FAMILIES)
    def test_merged_weights_give_the_same_logits(
        self, toy_backbone: Backbones, family: str, variant: str
    ) -> None:
        strategy = "lora:targets=" + all_targets(family) + variant
        task = task_of(toy_backbone(family), strategy, "native")
        model, adapter = make_classifier(task)
        before = logits(model)
        fill(adapter)
        live, names = logits(model), set(build_native(task.backbone, 2, 0).state_dict())
        assert not torch.allclose(live, before, rtol=0, atol=1e-4)
        assert adapter is not None
        adapter.merge()
        torch.testing.assert_close(logits(model), live, rtol=0, atol=1e-5)
        assert set(model.state_dict()) == names


@torch.inference_mode()
def states(model: Any) -> Tensor:
    found = model.eval()(**some_texts())[0]
    return found * some_texts()["attention_mask"][:, :, None]


@pytest.fixture
def gpt2(monkeypatch: pytest.MonkeyPatch, toy_backbone: Backbones) -> str:
    """Return a backbone whose linear layers are of the type Conv1D, which transposes weights."""
    family = Family(
        ("wte", "wpe"),
        "h",
        final=("ln_f",),
        query="c_attn",
        attention_dropout="attn_pdrop",
        causal=True,
        native_pooling=lambda config: "last",
    )
    monkeypatch.setitem(REGISTERED, "gpt2", family)
    return str(toy_backbone("gpt2"))


@pytest.mark.parametrize("variant", VARIANTS)
class TestTransposedLayers:
    def test_shapes_and_step_zero(self, gpt2: str, variant: str) -> None:
        task = task_of(Path(gpt2), "lora:r=2" + variant, "native")
        model, adapter = make_classifier(task)
        assert adapter is not None
        assert names_of(adapter) == {f"h.{block}.attn.c_attn" for block in range(DEPTH)}
        magnitudes = DEPTH * 3 * WIDTH if "dora" in variant else 0
        of_adapters = DEPTH * 2 * (WIDTH + 3 * WIDTH) + magnitudes
        assert count_parameters(adapter.peft)["trainable"] == of_adapters
        plain = build_native(task.backbone, 2, task.config.seed)
        assert_same(logits(model), logits(plain), "gpt2")

    def test_saved_loaded_and_merged_adapters_give_the_same_logits(
        self, gpt2: str, tmp_path: Path, variant: str
    ) -> None:
        written = "lora:r=3,alpha=12,targets=c_attn+c_proj+c_fc" + variant
        task = task_of(Path(gpt2), written, "native")
        model, adapter = make_classifier(task)
        assert adapter is not None
        untrained = logits(model)
        fill(adapter)
        live, live_states = logits(model), states(adapter.peft)
        assert not torch.allclose(live, untrained, rtol=0, atol=1e-2)

        adapter.save(tmp_path / "adapter")
        loaded = load_adapters(load_backbone(gpt2).stack, tmp_path / "adapter", "its name")
        assert torch.equal(states(loaded.peft), live_states)
        plain = AutoModel.from_pretrained(gpt2).eval()
        of_peft = PeftModel.from_pretrained(plain, str(tmp_path / "adapter")).eval()
        torch.testing.assert_close(states(of_peft), live_states, rtol=0, atol=1e-5)
        merged = merge_adapters(AutoModel.from_pretrained(gpt2), tmp_path / "adapter")
        torch.testing.assert_close(states(merged), live_states, rtol=0, atol=1e-4)

        adapter.merge()
        torch.testing.assert_close(logits(model), live, rtol=0, atol=1e-4)
        assert set(model.state_dict()) == set(build_native(task.backbone, 2, 0).state_dict())

    def test_no_warning_is_given(self, gpt2: str, variant: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            adapter = adapted(load_backbone(gpt2), "lora:r=4" + variant)
        assert adapter.peft.peft_config["default"].fan_in_fan_out


def test_blocks_without_linear_layers_have_no_adapters(toy_backbone: Backbones) -> None:
    stack = load_backbone(str(toy_backbone("bert"))).stack
    for index in range(DEPTH):
        stack.blocks[index] = torch.nn.Identity()
    with pytest.raises(ThawlineError) as caught:
        add_adapters(stack, Lora(), "base")
    assert caught.value.setting == "strategy"
    assert "last:1" in caught.value.fix


BACKBONE, HEAD, BLOCK = 66_362_880, 592_130, 7_087_872
"""DistilBERT's parameters, those of its native head for two labels, and those of one block."""

COUNTS = {
    "head": HEAD,
    "lora:r=4": 628_994,
    "lora:r=4,targets=q_lin": 628_994,
    "lora:r=4,from=6": HEAD + 2 * 4 * 768,
    "last:1": HEAD + BLOCK,
    "last:2": HEAD + 2 * BLOCK,
    "full": HEAD + BACKBONE,
}


class TestDistilBert:
    @pytest.mark.parametrize("strategy", COUNTS)
    def test_each_strategy_has_its_parameters(self, distilbert: Path, strategy: str) -> None:
        config = Config(str(distilbert), strategy, head=HeadConfig(head="native"))
        parameters = describe(config, n_labels=2).parameters.to_dict()
        within = COUNTS[strategy] - HEAD if strategy.startswith("lora") else 0
        total = BACKBONE + HEAD + within
        trainable = COUNTS[strategy]
        assert parameters == {
            "trainable": trainable,
            "frozen": total - trainable,
            "total": total,
        }

    def test_the_command_line_prints_them(self, distilbert: Path) -> None:
        command = ["info", "--backbone", distilbert, "--head", "native", "--json"]
        described = thawline(*command, "--strategy", "lora:r=4,from=4").json
        assert described["parameters"] == {
            "trainable": HEAD + 3 * 2 * 4 * 768,
            "frozen": BACKBONE,
            "total": BACKBONE + HEAD + 3 * 2 * 4 * 768,
        }
        assert described["line"] == 4
        trainable = [stage["trainable"] for stage in described["stages"]]
        assert trainable == [0, 0, 0, 0, *[2 * 4 * 768] * 3]


def test_info_and_fit_count_alike(toy_backbone: Backbones, toy_reviews: Reviews) -> None:
    written = "lora:r=3,from=2"
    config = Config(str(toy_backbone("bert")), written, head=HeadConfig(head="native"))
    expected = describe(config, n_labels=2).parameters.to_dict()
    classifier = TextClassifier(toy_backbone("bert"), written, head="native", epochs=1)
    assert classifier.fit(*toy_reviews(24)).parameters_ == expected
    assert count_parameters(classifier.fitted_.model) == expected
    assert expected["trainable"] == 2 * WIDTH + 2 + 3 * (2 * 3 * WIDTH)


def test_a_rank_above_the_size_of_a_layer_is_an_error(toy_backbone):
    stack = load_backbone(str(toy_backbone("bert"))).stack
    with pytest.raises(ThawlineError) as caught:
        add_adapters(stack, Lora(r=33), "base")
    assert caught.value.setting == "strategy"
    assert caught.value.found == "33"
    assert add_adapters(stack, Lora(r=32), "base")
