from __future__ import annotations

import copy
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import get_ident
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel

from tests.support.toys import DEPTH, FAMILIES, LIMIT, WIDTH
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.operations import forward_operations
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.data.tokens import Inputs, TokenizedTexts
from thawline.prefix import frozen_pass
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.prefix.token_states import RecomputedStates, States, token_states
from thawline.runtime.progress import Reporter
from thawline.store import Entry, TokenStates, clear, entries

FP32 = ComputeConfig(dtype="float32", tokens_per_batch=256, density=0.9)
BF16 = replace(FP32, dtype="bfloat16")
NO_ROOM = replace(FP32, store_limit=0)
LINES = range(2, DEPTH + 1)
FORMS = pytest.mark.parametrize("config", [FP32, NO_ROOM], ids=["stored", "recomputed"])


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen_pass, "pick_device", lambda wanted: "cpu")


@pytest.fixture
def texts(toy_reviews) -> list[str]:
    """Return texts, among them an empty one, one above the limit and a duplicate."""
    some = toy_reviews(12)[0]
    return [*some, "", "film", " ".join(["good film"] * LIMIT), some[3]]


@pytest.fixture
def backbone_of(toy_backbone) -> Callable[[str], Backbone]:
    return lambda family: load_backbone(str(toy_backbone(family)))


Given = tuple[States, TokenizedTexts, Entry, PassReport]


def run(
    backbone: Backbone,
    line: int,
    texts: Sequence[str],
    config: ComputeConfig = FP32,
    reporter: Reporter | None = None,
) -> Given:
    """Return the states of texts at a line, their tokens, the entry and the report."""
    silent = Reporter() if reporter is None else reporter
    passed = FrozenPass(backbone, LIMIT, "right", config, silent)
    entry, tokens = passed.open_entry(line), passed.tokenize(texts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if config.store_limit == 0 else "error")
        states = token_states(passed, entry, texts, tokens)
    return states, tokens, entry, passed.report


def everyone(states: States) -> np.ndarray:
    return np.arange(len(states))


@contextmanager
def counting_blocks() -> Iterator[Counter]:
    """Count the texts that run through each block, counted from 1, in a prefix."""
    ran: Counter = Counter()
    original = Stack.prefix

    def counting(stack: Stack, line: int, inputs: Inputs, **given: Any) -> Tensor:
        here = get_ident()  # other threads run the same blocks

        def seen(number: int):
            def count(*ignored: object) -> None:
                if get_ident() == here:
                    ran.update({number: len(inputs["input_ids"])})

            return count

        handles = [
            block.register_forward_hook(seen(number))
            for number, block in enumerate(stack.blocks, start=1)
        ]
        try:
            return original(stack, line, inputs, **given)
        finally:
            for handle in handles:
                handle.remove()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stack, "prefix", counting)
        yield ran


# Parity


@FORMS
@pytest.mark.parametrize("family", FAMILIES)
def test_prefix_and_suffix_are_the_whole_model(backbone_of, texts, family, config):
    backbone = backbone_of(family)
    order = np.random.default_rng(0).permutation(len(texts))
    for line in LINES:
        states, tokens, _, _ = run(backbone, line, texts, config)
        assert isinstance(states, RecomputedStates if config is NO_ROOM else TokenStates)
        assert states.lengths.tolist() == tokens.lengths.tolist()
        assert (states.lengths.min(), states.lengths.max()) == (
            1 if family in ("qwen3", "llama") else 2,
            LIMIT,
        )
        for batch in (order[:7], order[7:], order[3:4]):
            taken, inputs = states.take(batch), tokens.batch(batch)
            assert taken.shape == (*inputs["input_ids"].shape, WIDTH)
            with torch.no_grad():
                joined = backbone.stack.suffix(line, taken, inputs)
                whole = backbone.stack.forward(inputs)
            mask = inputs.get("attention_mask", torch.ones_like(inputs["input_ids"])).bool()
            assert (taken[~mask] == 0).all()
            torch.testing.assert_close(joined[mask], whole[mask], rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_states_are_those_of_each_text_alone(backbone_of, texts, family):
    backbone = backbone_of(family)
    states, tokens, _, report = run(backbone, 3, texts)
    assert report.density < 1  # some batches were padded
    taken = states.take(everyone(states))
    for position in range(len(texts)):
        inputs = tokens.batch(np.array([position]))
        with torch.no_grad():
            alone = backbone.stack.prefix(3, inputs)[0]
        torch.testing.assert_close(taken[position, : len(alone)], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_states_are_close_to_those_in_fp32(backbone_of, texts, family):
    backbone = backbone_of(family)
    exact = run(backbone, DEPTH, texts)[0]
    stored = run(backbone, DEPTH, texts, BF16)[0]
    recomputed = run(backbone, DEPTH, [*texts, "a new one"], replace(BF16, store_limit=0))[0]
    assert isinstance(recomputed, RecomputedStates)
    wanted = exact.take(everyone(exact))
    for states in (stored, recomputed):
        low = states.take(everyone(exact))
        assert low.dtype == torch.bfloat16
        assert not torch.equal(low.float(), wanted)
        assert ((low.float() - wanted).norm(dim=-1) <= 0.02 * wanted.norm(dim=-1)).all()


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_pairs_have_their_types(backbone_of, family):
    backbone = backbone_of(family)
    pairs = [("a good film", "the cast was dull"), ("film", ""), ("so so", "very very long story")]
    states, tokens, _, _ = run(backbone, 2, pairs)
    assert (tokens.types is not None) == (family == "bert")
    batch = np.array([2, 0])
    with torch.no_grad():
        whole = backbone.stack.prefix(2, tokens.batch(batch))
    lengths = states.lengths[batch]
    for row, length in enumerate(lengths):
        torch.testing.assert_close(states.take(batch)[row, :length], whole[row, :length])


# One entry at the lowest line serves the higher ones


@pytest.mark.parametrize("family", FAMILIES)
def test_from_a_lower_line_only_the_blocks_between_run_and_the_bits_are_the_same(
    backbone_of, texts, family
):
    backbone, number = backbone_of(family), len(set(texts))
    with counting_blocks() as ran:
        states, _, _, report = run(backbone, DEPTH, texts)
    assert ran == dict.fromkeys(range(1, DEPTH), number)
    assert report.flops > 0
    directly, flops = states.take(everyone(states)), report.flops

    del states, _  # `clear` leaves what is being read
    clear()
    with counting_blocks() as ran:
        lower = run(backbone, 2, texts)[3]
    assert ran == {1: number}
    with counting_blocks() as ran:
        states, _, _, report = run(backbone, DEPTH, texts)
    assert ran == dict.fromkeys(range(2, DEPTH), number)
    assert torch.equal(states.take(everyone(states)), directly)
    assert lower.flops + report.flops == flops
    assert report.texts == number


def test_the_nearest_line_that_holds_all_missing_texts_is_started_from(backbone_of, texts):
    backbone = backbone_of("bert")
    run(backbone, 2, texts)
    run(backbone, 3, texts[:5])  # not all of them
    run(backbone, 4, texts[6:])
    with counting_blocks() as ran:
        run(backbone, 4, texts[:5])
    assert set(ran) == {3}
    with counting_blocks() as ran:
        run(backbone, 4, texts)
    assert ran == {2: 1, 3: 1}  # the one text between
    with counting_blocks() as ran:
        run(backbone, 4, [*texts, "another"])
    assert ran == {1: 1, 2: 1, 3: 1}


def test_states_of_another_length_or_dtype_are_not_started_from(backbone_of, texts):
    backbone = backbone_of("bert")
    run(backbone, 2, texts, BF16)
    shorter = FrozenPass(backbone, LIMIT - 1, "right", FP32)
    token_states(shorter, shorter.open_entry(2), texts, shorter.tokenize(texts))
    with counting_blocks() as ran:
        run(backbone, 3, texts)
    assert set(ran) == {1, 2}


# Once, and never in train mode


def test_a_second_pass_computes_nothing(backbone_of, texts):
    backbone = backbone_of("bert")
    first, tokens, entry, report = run(backbone, 3, texts)
    distinct = [texts.index(text) for text in dict.fromkeys(texts)]
    lengths = tokens.lengths[distinct]
    assert (report.texts, report.tokens) == (len(distinct), lengths.sum())
    assert report.flops == forward_operations(backbone.stack, lengths, [0, 1, 2])
    assert min(report.seconds.values()) > 0
    with counting_blocks() as ran:
        again, _, other, report = run(backbone, 3, texts)
    assert (ran, report.texts, report.seconds["prefix"]) == (Counter(), 0, 0.0)
    assert torch.equal(again.take(everyone(again)), first.take(everyone(first)))
    assert other.digest(texts) == entry.digest(texts)


@pytest.mark.parametrize("config", [FP32, BF16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("known", [0, 5])
def test_one_pass_gives_the_same_pooled_and_token_states(
    backbone_of, texts, config, known, monkeypatch, tmp_path
):
    backbone, line, distinct = backbone_of("bert"), 3, len(set(texts))
    states, tokens, _, _ = run(backbone, line, texts, config)
    apart = FrozenPass(backbone, LIMIT, "right", config)
    pooled = apart.open_entry()
    apart.ensure_pooled_states(pooled, texts)
    monkeypatch.setenv("THAWLINE_HOME", str(tmp_path / "other"))
    together = FrozenPass(backbone, LIMIT, "right", config)
    both, at_line = together.open_entry(), together.open_entry(line)
    if known:  # these texts have pooled states only
        together.ensure_pooled_states(both, texts[:known])
    together.compute_both(both, at_line, texts, tokens)
    assert both.missing(texts) == []
    assert len(at_line.missing(texts)) == known
    together.ensure_pooled_states(both, texts, tokens)
    found = token_states(together, at_line, texts, tokens)
    report = together.report
    assert (report.texts, report.from_store) == (distinct + known, known)
    rows, stages = torch.arange(len(texts)), range(DEPTH + 1)
    pairs = [(found.take(everyone(found)), states.take(everyone(states)))]
    for pooling in POOLINGS:
        one, other = (entry.features(texts, stages, pooling) for entry in (both, pooled))
        pairs.append((one.take(rows), other.take(rows)))
    for one, other in pairs:
        if known:  # other batches, and so other rounding errors
            assert (one - other).norm() < 0.01 * other.norm()
        else:
            assert torch.equal(one, other)


@pytest.mark.parametrize("start", [1, 2], ids=["from tokens", "from below"])
def test_what_is_missing_among_others_gets_its_own_states(backbone_of, texts, start):
    backbone = backbone_of("bert")
    if start > 1:
        run(backbone, start, texts)
    run(backbone, 3, texts[1:9:3])
    with counting_blocks() as ran:
        states, tokens, _, _ = run(backbone, 3, texts)
    assert ran == {block: len(set(texts)) - 3 for block in range(start, 3)}
    for position in range(len(texts)):
        with torch.no_grad():
            alone = backbone.stack.prefix(3, tokens.batch(np.array([position])))
        taken = states.take(np.array([position]))
        torch.testing.assert_close(taken, alone, rtol=0, atol=1e-5)


def test_chunks_are_closed_by_their_bytes_and_by_their_texts(backbone_of, texts):
    backbone, found = backbone_of("bert"), []
    for config in (FP32, replace(FP32, bytes_per_chunk=20_000), replace(FP32, rows_per_chunk=5)):
        states, _, entry, _ = run(backbone, 2, texts, config)
        sizes = [path.stat().st_size for path in entry.folder.glob("*.safetensors")]
        found.append((len(sizes), max(sizes), states.take(everyone(states))))
        del states, entry  # `clear` leaves what is being read
        clear()
    (one, whole, states), (several, largest, split), (few, _, by_rows) = found
    assert (one, few) == (1, 3)
    assert several > 2
    assert largest < 20_000 + 256 * WIDTH * 4 + 1_000 < whole  # a batch more, and a header
    assert torch.equal(split, states)
    assert torch.equal(by_rows, states)


@FORMS
def test_dropout_does_not_show_and_the_backbone_is_left_as_it_was(backbone_of, texts, config):
    plain = backbone_of("bert")
    settings = copy.deepcopy(plain.stack.model.config)
    settings.hidden_dropout_prob = settings.attention_probs_dropout_prob = 0.5
    model = AutoModel.from_config(settings).train()
    model.load_state_dict(plain.stack.model.state_dict())
    noisy = Backbone(plain.name, plain.path, Stack(model), plain.tokenizer)
    implementation = model.config._attn_implementation
    states, tokens, _, _ = run(noisy, 3, texts, config)
    taken = states.take(np.array([4, 1]))
    with torch.no_grad():
        wanted = plain.stack.prefix(3, tokens.batch(np.array([4, 1])))
    for row, length in enumerate(states.lengths[[4, 1]]):
        torch.testing.assert_close(taken[row, :length], wanted[row, :length], rtol=0, atol=1e-5)
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert model.config._attn_implementation == implementation


def test_a_pass_that_breaks_keeps_and_counts_what_it_had_finished(backbone_of, texts, monkeypatch):
    backbone = backbone_of("bert")
    config = replace(FP32, tokens_per_batch=LIMIT, rows_per_chunk=2)
    original, calls = Stack.prefix, []

    def breaking(stack: Stack, line: int, inputs: Inputs) -> Tensor:
        calls.append(line)
        if len(calls) == 9:
            raise RuntimeError("out of memory")
        return original(stack, line, inputs)

    with monkeypatch.context() as patch:
        patch.setattr(Stack, "prefix", breaking)
        with pytest.raises(RuntimeError, match="out of memory"):
            run(backbone, 2, texts, config)
    number = len(set(texts))
    kept = number - len(FrozenPass(backbone, LIMIT, "right", config).open_entry(2).missing(texts))
    assert 2 <= kept < number
    report = run(backbone, 2, texts, config)[3]
    assert report.texts == number - kept


# Computed again each time


def test_what_is_recomputed_may_enter_a_graph(backbone_of, texts):
    states = run(backbone_of("bert"), 3, texts, NO_ROOM)[0]
    with torch.inference_mode():
        in_inference = states.take(np.array([0, 1]))
    for taken in (in_inference, states.take(np.array([0, 1]))):
        assert not taken.is_inference()
        assert not taken.requires_grad
        weight = torch.ones(WIDTH, requires_grad=True)
        (taken * weight).sum().backward()
        torch.testing.assert_close(weight.grad, taken.sum((0, 1)))
    assert torch.equal(in_inference, taken)


def test_recomputed_and_stored_states_are_the_same(backbone_of, texts):
    backbone = backbone_of("modernbert")
    recomputed = run(backbone, 3, texts, NO_ROOM)[0]
    stored = run(backbone, 3, texts)[0]
    batch = np.array([14, 0, 12, 12, 13])
    torch.testing.assert_close(recomputed.take(batch), stored.take(batch), rtol=0, atol=1e-5)
    assert (len(recomputed), recomputed.lengths.tolist()) == (len(stored), stored.lengths.tolist())


def test_only_the_texts_asked_for_run_and_only_through_the_prefix(backbone_of, texts):
    backbone = backbone_of("bert")
    with counting_blocks() as ran:
        states, *_, report = run(backbone, 3, texts, NO_ROOM)
        assert (ran, report.texts) == (Counter(), 0)
        states.take(np.array([1, 5, 2]))
        states.take(np.array([1]))
    assert ran == {1: 4, 2: 4}
    run(backbone, 2, texts)
    with counting_blocks() as ran:
        from_below = run(backbone, 3, texts, NO_ROOM)[0]
        again = from_below.take(np.array([1, 5, 2]))
    assert ran == {2: 3}
    torch.testing.assert_close(again, states.take(np.array([1, 5, 2])), rtol=0, atol=1e-5)


def warned(backbone: Backbone, line: int, texts: Sequence[str], limit: int) -> str:
    passed = FrozenPass(backbone, LIMIT, "right", replace(FP32, store_limit=limit))
    entry, tokens = passed.open_entry(line), passed.tokenize(texts)
    with pytest.warns(UserWarning, match=r"compute\.store_limit") as caught:
        states = token_states(passed, entry, texts, tokens)
    assert isinstance(states, RecomputedStates)
    (warning,) = caught
    return str(warning.message)


def numbers_in(message: str) -> set[str]:
    return set(re.findall(r"\d+\.?\d*", message))


def test_the_warning_states_the_size_the_blocks_and_the_cost(backbone_of, texts):
    backbone, distinct = backbone_of("bert"), list(dict.fromkeys(texts))
    _, tokens, _, _ = run(backbone, 4, distinct, NO_ROOM)
    size = tokens.lengths.sum() * WIDTH * 4 + len(distinct) * 20
    # The limit and the content of the store, the missing size, the line, the blocks and the cost:
    # (3 + 3) / 3.
    wanted = {"10.0", "0", f"{size / 1_000:.1f}", "4", "1", "3", "2.0"}
    assert numbers_in(warned(backbone, 4, texts, 10_000)) == wanted
    assert entries() == []
    assert {"2", "1", "1.1"} <= numbers_in(warned(backbone, 2, texts, 0))  # (1 + 9) / 9
    run(backbone, 3, texts)
    message = warned(backbone, 4, texts, 0)
    assert {"4", "3", "1.3"} <= numbers_in(message)  # (1 + 3) / 3
    assert "1" not in numbers_in(message)


def test_with_room_again_the_states_are_stored(backbone_of, texts):
    backbone = backbone_of("bert")
    run(backbone, 3, texts, NO_ROOM)
    states, _, entry, report = run(backbone, 3, texts)
    assert isinstance(states, TokenStates)
    assert (entry.missing(texts), report.texts) == ([], len(set(texts)))
    with counting_blocks() as ran:
        assert isinstance(run(backbone, 3, texts, NO_ROOM)[0], TokenStates)  # they are there
    assert not ran


def test_the_reported_size_is_the_written_size(backbone_of, toy_reviews):
    texts, notes, noting = toy_reviews(100)[0], [], Reporter()
    noting.message = notes.append
    config = replace(FP32, store_limit=10**7)
    _, tokens, entry, _ = run(backbone_of("bert"), 2, texts, config, noting)
    size = int(tokens.lengths.sum()) * WIDTH * 4 + 100 * 20
    written = sum(path.stat().st_size for path in entry.folder.glob("*.safetensors"))
    assert size < written < 1.01 * size
    (note,) = notes
    assert numbers_in(note) == {"100", f"{size / 1_000:.1f}", "10.0"}
