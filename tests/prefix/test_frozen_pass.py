from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel

from tests.support.toys import DEPTH, FAMILIES, LIMIT, as_inputs
from thawline.backbones import kernels
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.operations import forward_operations
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.products import Visible
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data.tokens import Inputs
from thawline.prefix import frozen_pass
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Advance, Reporter
from thawline.store import Entry, clear

FP32 = ComputeConfig(dtype="float32", tokens_per_batch=256, density=0.9)
BF16 = ComputeConfig(dtype="bfloat16", tokens_per_batch=256, density=0.9)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_pass, "pick_device", lambda wanted: "cpu")


@pytest.fixture
def texts(toy_reviews) -> list[str]:
    return [*toy_reviews(24)[0], "", "film", "zebra zebra"]


@pytest.fixture
def backbone_of(toy_backbone) -> Callable[[str], Backbone]:
    return lambda family: load_backbone(str(toy_backbone(family)))


def run(
    backbone: Backbone,
    texts: Sequence[str],
    config: ComputeConfig = FP32,
    reporter: Reporter | None = None,
) -> tuple[Entry, PassReport]:
    """Compute the pooled states of texts; return the entry and the report."""
    silent = Reporter() if reporter is None else reporter
    passed = FrozenPass(backbone, LIMIT, "right", config, silent)
    entry = passed.open_entry()
    passed.ensure_pooled_states(entry, texts)
    return entry, passed.report


def stored(entry: Entry, texts: Sequence[str], depth: int = DEPTH) -> Tensor:
    """Return all states of texts, ``(texts, stages, 3, hidden)`` in fp32."""
    everyone = torch.arange(len(texts))
    pooled = [
        entry.features(texts, range(depth + 1), pooling)
        .take(everyone)
        .view(len(texts), depth + 1, -1)
        for pooling in POOLINGS
    ]
    return torch.stack(pooled, dim=2)


def one_by_one(backbone: Backbone, texts: Sequence[str]) -> Tensor:
    """Compute the same states for each text alone, with torch's own attention, in fp32."""
    tokenizer = backbone.tokenizer
    rows = []
    for text in texts:
        ids = tokenizer(text, truncation=True, max_length=LIMIT)["input_ids"]
        ids = ids or [tokenizer.pad_token_id]
        with torch.no_grad():
            rows.append(backbone.stack.pooled(as_inputs(torch.tensor([ids]))))
    return torch.cat(rows)


# The states


@pytest.mark.parametrize("family", FAMILIES)
def test_stored_states_are_those_of_each_text_alone(backbone_of, texts, family):
    backbone = backbone_of(family)
    entry, report = run(backbone, texts)
    assert report.density < 1  # some batches were padded
    torch.testing.assert_close(stored(entry, texts), one_by_one(backbone, texts), rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_states_are_close_to_those_in_fp32(backbone_of, texts, family):
    backbone = backbone_of(family)
    entry, _ = run(backbone, texts, BF16)
    low, exact = stored(entry, texts), one_by_one(backbone, texts)
    assert entry.key.dtype == "bfloat16"
    assert torch.equal(low, low.bfloat16().float())
    assert not torch.equal(low, exact)
    assert ((low - exact).norm(dim=-1) < 0.02 * exact.norm(dim=-1)).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_attention_is_plain_products_without_padding(backbone_of, texts, family, monkeypatch):
    backbone, computed = backbone_of(family), []
    original = kernels.attend_to

    def counting(query: Tensor, key: Tensor, value: Tensor, visible: Visible, scale) -> Tensor:
        computed.append(sum(visible.lengths))
        return original(query, key, value, visible, scale)

    monkeypatch.setattr(kernels, "attend_to", counting)
    _, report = run(backbone, texts, BF16)
    every = DEPTH * report.tokens
    if family == "modernbert":  # blocks with a window of attention are left to torch
        assert 0 < sum(computed) < every
    else:
        assert sum(computed) == every


def test_how_texts_are_batched_does_not_matter(backbone_of, texts):
    backbone = backbone_of("modernbert")
    expected = one_by_one(backbone, texts)
    for rows, tokens, density in [(1_024, 40, 0.99), (5, 300, 0.5), (1, 10_000, 0.0)]:
        config = ComputeConfig("cpu", "float32", tokens, density, rows)
        entry, _ = run(backbone, [*texts, f"film {rows}"], config)
        torch.testing.assert_close(stored(entry, texts), expected, rtol=0, atol=1e-5)
        clear()


@pytest.mark.parametrize("config", [FP32, BF16], ids=["float32", "bfloat16"])
def test_the_number_of_threads_does_not_show(backbone_of, texts, config):
    backbone = backbone_of("bert")
    threads, found = torch.get_num_threads(), []
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            entry, _ = run(backbone, texts, config)
            assert torch.get_num_threads() == number
            found.append(stored(entry, texts))
            clear()
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_side_that_is_cut_off_reaches_the_states(backbone_of, side):
    backbone = backbone_of("bert")
    short = ["good film", "bad film"][side == "left"]
    passed = FrozenPass(backbone, 4, side, FP32)
    entry = passed.open_entry()
    passed.ensure_pooled_states(entry, ["good film so so bad film"])
    torch.testing.assert_close(
        stored(entry, ["good film so so bad film"]), one_by_one(backbone, [short])
    )


# Never in train mode, never with gradients, and nothing left behind


def noisy_backbone(backbone: Backbone) -> Backbone:
    """Return the backbone with a dropout of 0.5 in its config, in training mode."""
    config = copy.deepcopy(backbone.stack.model.config)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.5
    model = AutoModel.from_config(config).train()
    model.load_state_dict(backbone.stack.model.state_dict())
    return Backbone(backbone.name, backbone.path, Stack(model), backbone.tokenizer)


def test_dropout_does_not_show(backbone_of, texts):
    plain = backbone_of("bert")
    noisy = noisy_backbone(plain)
    first, _ = run(noisy, texts)
    states = stored(first, texts)
    del first  # `clear` leaves what is being read
    clear()
    second, report = run(noisy, texts)
    assert report.texts == len(texts)
    assert torch.equal(stored(second, texts), states)
    torch.testing.assert_close(states, one_by_one(plain, texts), rtol=0, atol=1e-5)


def test_the_pass_runs_in_evaluation_and_inference_mode(backbone_of, texts, monkeypatch):
    seen = set()
    original = Stack.pooled

    def watching(stack: Stack, inputs: Inputs, *others: Any) -> Tensor:
        training = any(module.training for module in stack.model.modules())
        main = threading.current_thread() is threading.main_thread()
        seen.add((training, torch.is_inference_mode_enabled(), main, torch.get_num_threads()))
        return original(stack, inputs, *others)

    monkeypatch.setattr(Stack, "pooled", watching)
    run(noisy_backbone(backbone_of("bert")), texts)
    assert seen == {(False, True, False, 1)}


@pytest.mark.parametrize("family", ["bert", "modernbert", "llama"])
def test_the_backbone_itself_is_left_as_it_was(backbone_of, texts, family):
    backbone = backbone_of(family)
    model = backbone.stack.model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    implementation = model.config._attn_implementation
    run(backbone, texts, BF16)
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert model.config._attn_implementation == implementation
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


# The entry


def test_the_entry_depends_on_all_that_the_states_depend_on(backbone_of):
    bert, roberta = backbone_of("bert"), backbone_of("roberta")
    keys = [
        FrozenPass(*settings).open_entry().key
        for settings in [
            (bert, 40, "right", FP32),
            (roberta, 40, "right", FP32),
            (bert, 39, "right", FP32),
            (bert, 40, "left", FP32),
            (bert, 40, "right", BF16),
        ]
    ]
    assert len({key.digest() for key in keys}) == 5
    passed = FrozenPass(bert, 40, "right", FP32)
    at_lines = [passed.open_entry(line).key for line in (2, 3, DEPTH)]
    assert [replace(key, line=None) for key in at_lines] == [keys[0]] * 3
    to_stages = [passed.open_entry(stage=stage).key for stage in (0, 2)]
    assert [replace(key, stage=None) for key in to_stages] == [keys[0]] * 2
    assert len({key.digest() for key in (*keys, *at_lines, *to_stages)}) == 10
    assert passed.open_entry().name == bert.name
    assert keys[0].backbone == bert.digest()


@pytest.mark.parametrize("line", [-1, 0, 1, DEPTH + 1])
def test_no_token_states_are_stored_at_other_lines_than_2_to_the_depth(backbone_of, line):
    with pytest.raises(ValueError, match=rf"{line}\b.*\b{DEPTH}\b"):
        FrozenPass(backbone_of("bert"), 40, "right", FP32).open_entry(line)


@pytest.mark.parametrize("stage", [-1, DEPTH])
def test_an_entry_ends_at_a_stage_below_the_last_one_or_holds_all(backbone_of, stage):
    with pytest.raises(ValueError, match=rf"{stage}\b"):
        FrozenPass(backbone_of("bert"), 40, "right", FP32).open_entry(stage=stage)


def test_auto_is_resolved_before_it_becomes_a_key(backbone_of, monkeypatch):
    monkeypatch.setattr(frozen_pass, "pick_dtype", lambda wanted, device: f"{wanted} on {device}")
    entry = FrozenPass(backbone_of("bert"), 40, "right", ComputeConfig()).open_entry()
    assert entry.key.dtype == "auto on cpu"


# The report


def test_the_report_counts_what_was_computed(backbone_of, texts):
    backbone = backbone_of("bert")
    lengths = [
        len(backbone.tokenizer(text, truncation=True, max_length=LIMIT)["input_ids"])
        for text in texts
    ]
    passed = FrozenPass(backbone, LIMIT, "right", FP32)
    entry, report = passed.open_entry(), passed.report
    passed.ensure_pooled_states(entry, texts)
    assert (report.texts, report.tokens) == (len(texts), sum(lengths))
    assert report.flops == forward_operations(backbone.stack, np.array(lengths))
    assert report.tokens < report.padded <= report.tokens / FP32.density
    assert report.density == report.tokens / report.padded
    assert min(report.seconds.values()) > 0

    seconds = dict(report.seconds)
    passed.ensure_pooled_states(entry, texts)
    assert (report.texts, report.tokens, report.seconds) == (len(texts), sum(lengths), seconds)
    passed.ensure_pooled_states(entry, [*texts, "good", "good"])
    assert (report.texts, report.tokens) == (len(texts) + 1, sum(lengths) + 3)
    assert report.seconds["prefix"] > seconds["prefix"]


def test_a_pass_that_computed_nothing_has_no_density():
    assert PassReport().density is None


class Counting(Reporter):
    """Counts the steps of each task."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.steps: dict[str, int] = {}

    @contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        self.totals[description], self.steps[description] = total, 0

        def advance(steps: int) -> None:
            self.steps[description] += steps

        yield advance


def test_progress_ends_at_its_total(backbone_of, texts):
    reporter = Counting()
    _, report = run(backbone_of("distilbert"), texts, reporter=reporter)
    assert reporter.steps == reporter.totals
    assert reporter.totals == {"tokenising": len(texts), "frozen prefix": report.tokens}


# Interrupted, and two at once


def test_a_pass_that_breaks_keeps_what_it_had_finished(backbone_of, texts, monkeypatch):
    backbone = backbone_of("bert")
    config = ComputeConfig(dtype="float32", tokens_per_batch=40, density=0.9, rows_per_chunk=4)
    original, calls = Stack.pooled, []

    def breaking(stack: Stack, inputs: Inputs, *others: Any) -> Tensor:
        calls.append(len(inputs["input_ids"]))
        if len(calls) == 12:
            raise RuntimeError("out of memory")
        return original(stack, inputs, *others)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "pooled", breaking)
        with pytest.raises(RuntimeError, match="out of memory"):
            run(backbone, texts, config)
    kept = len(texts) - len(
        FrozenPass(backbone, LIMIT, "right", config).open_entry().missing(texts)
    )
    assert 4 <= kept < len(texts)
    entry, report = run(backbone, texts, config)
    assert (report.texts, report.from_store) == (len(texts) - kept, kept)
    torch.testing.assert_close(stored(entry, texts), one_by_one(backbone, texts), rtol=0, atol=1e-5)


def test_two_threads_compute_each_text_once(backbone_of, texts):
    backbones = [backbone_of("bert"), backbone_of("bert")]
    found: list[tuple[Entry, PassReport]] = []
    threads = [
        threading.Thread(target=lambda backbone=backbone: found.append(run(backbone, texts)))
        for backbone in backbones
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.texts for _, report in found) == [0, len(texts)]
    assert sorted(report.from_store for _, report in found) == [0, len(texts)]
    assert torch.equal(*(stored(entry, texts) for entry, _ in found))
