from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, BertModel, DistilBertConfig

from tests.support.toys import DEPTH, FAMILIES, ROUNDING, WIDTH, as_inputs, toy_config
from thawline.backbones import families
from thawline.backbones.families import Family, register_family
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.errors import ThawlineError

LENGTHS = (11, 7, 2)
LINES = range(1, DEPTH + 2)
CAUSAL = ("qwen3", "llama")


def toy_stack(family: str) -> Stack:
    """A stack whose blocks change the states strongly, in evaluation mode, without dropout."""
    config = toy_config(family)
    config.initializer_range = 0.2
    torch.manual_seed(1)
    return Stack(AutoModel.from_config(config).eval())


@pytest.fixture(scope="module")
def stacks() -> Callable[[str], Stack]:
    """Return a function that gives one stack per family to tests that leave it unchanged."""
    made: dict[str, Stack] = {}

    def give(family: str) -> Stack:
        if family not in made:
            made[family] = toy_stack(family)
        return made[family]

    return give


def batch(lengths: tuple[int, ...] = LENGTHS, width: int | None = None) -> tuple[Tensor, Tensor]:
    """Random ids, without the special ones, padded on the right with 0; and their mask."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(4, 50, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]).long()
    ids = ids * mask
    if width is not None:
        more = (0, width - ids.shape[1])
        ids, mask = nn.functional.pad(ids, more), nn.functional.pad(mask, more)
    return ids, mask


def through(stack: Stack, line: int, ids: Tensor, mask: Tensor | None) -> Tensor:
    """Prefix, then suffix."""
    with torch.no_grad():
        states = stack.prefix(line, as_inputs(ids, mask))
        return states if line > stack.depth else stack.suffix(line, states, as_inputs(ids, mask))


# Prefix and suffix


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("padded", [True, False])
@torch.no_grad()
def test_prefix_then_suffix_is_the_whole_model(stacks, family, line, padded):
    ids, mask = batch() if padded else (batch((9, 9))[0], None)
    whole = stacks(family).forward(as_inputs(ids, mask))
    real = torch.ones_like(ids).bool() if mask is None else mask.bool()
    assert torch.equal(through(stacks(family), line, ids, mask)[real], whole[real])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("line", LINES)
@torch.no_grad()
def test_states_padded_to_another_width_give_the_whole_model(stacks, family, line):
    stack = stacks(family)
    ids, mask = batch()
    wide_ids, wide_mask = batch(width=17)
    whole = stack.forward(as_inputs(ids, mask))
    stored = (
        stack.prefix(line, as_inputs(ids, mask)) * mask[:, :, None]
    )  # ragged storage keeps no padding
    states = nn.functional.pad(stored, (0, 0, 0, 17 - ids.shape[1]))
    if line <= stack.depth:
        states = stack.suffix(line, states, as_inputs(wide_ids, wide_mask))
    assert (states[wide_mask.bool()] - whole[mask.bool()]).abs().max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("line", LINES)
@torch.no_grad()
def test_each_text_alone_gives_what_it_gives_in_the_batch(stacks, family, line):
    ids, mask = batch()
    together = through(stacks(family), line, ids, mask)
    for row, length in enumerate(LENGTHS):
        alone = through(stacks(family), line, ids[row : row + 1, :length], None)
        assert (alone[0] - together[row, :length]).abs().max() < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_suffix_continues_from_the_given_states_and_leaves_them_unchanged(stacks, family):
    ids, mask = batch()
    states = stacks(family).prefix(3, as_inputs(ids, mask))
    given = states.flip(2).clone()
    kept = given.clone()
    moved = stacks(family).suffix(3, given, as_inputs(ids, mask))
    usual = stacks(family).suffix(3, states, as_inputs(ids, mask))
    assert (moved - usual)[mask.bool()].abs().max() > 1e-2
    assert torch.equal(given, kept)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_no_block_runs_on_the_wrong_side_of_the_line(stacks, family):
    stack = stacks(family)
    ids, mask = batch()
    ran: list[int] = []
    handles = [
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
        for number, block in enumerate(stack.blocks, start=1)
    ]
    try:
        states = stack.prefix(3, as_inputs(ids, mask))
        assert ran == [1, 2]
        ran.clear()
        stack.suffix(3, states, as_inputs(ids, mask))
        assert ran == [3, 4]
    finally:
        for handle in handles:
            handle.remove()


# Gradients


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("line", range(1, DEPTH + 1))
def test_the_suffix_has_the_whole_models_gradients_and_the_prefix_none(family, line):
    ids, mask = batch()
    weights = torch.randn(*ids.shape, WIDTH, generator=torch.Generator().manual_seed(3))
    weights = weights * mask[:, :, None]

    whole = toy_stack(family)
    (whole.forward(as_inputs(ids, mask)) * weights).sum().backward()
    cut = toy_stack(family)
    cut.freeze(line)
    cut.model.eval()  # dropout would draw differently in the two
    with torch.no_grad():
        states = cut.prefix(line, as_inputs(ids, mask))
    (cut.suffix(line, states, as_inputs(ids, mask)) * weights).sum().backward()

    expected = dict(whole.model.named_parameters())
    trained = {id(p) for stage in range(line, DEPTH + 1) for p in parameters(cut, stage)}
    for name, parameter in cut.model.named_parameters():
        if id(parameter) not in trained:
            assert parameter.grad is None, name
        elif expected[name].grad is None:
            assert "pooler" in name
            assert parameter.grad is None
        else:
            apart = ROUNDING.get(family, 0)
            torch.testing.assert_close(
                parameter.grad, expected[name].grad, rtol=apart, atol=apart, msg=name
            )
    matrices = [p for block in cut.blocks[line - 1 :] for p in block.parameters() if p.dim() == 2]
    assert len(matrices) >= 4 * (DEPTH + 1 - line)
    assert all(matrix.grad.abs().sum() > 0 for matrix in matrices)


def test_line_0_trains_everything_and_the_last_line_nothing():
    stack = toy_stack("bert")
    stack.freeze(0)
    assert all(p.requires_grad for p in stack.model.parameters())
    stack.freeze(DEPTH + 1)
    assert not any(p.requires_grad for p in stack.model.parameters())


# Stages


def parameters(stack: Stack, stage: int) -> Iterator[nn.Parameter]:
    for module in stack.modules_of(stage):
        yield from module.parameters()


@pytest.mark.parametrize("family", FAMILIES)
def test_each_parameter_belongs_to_one_stage(stacks, family):
    stack = stacks(family)
    times = Counter(id(p) for stage in range(stack.depth + 1) for p in parameters(stack, stage))
    assert times == {id(p): 1 for p in stack.model.parameters()}
    assert all(any(True for _ in parameters(stack, stage)) for stage in range(stack.depth + 1))


@pytest.mark.parametrize(
    ("family", "final"),
    [
        ("bert", ["BertPooler"]),
        ("roberta", ["RobertaPooler"]),
        ("distilbert", []),
        ("modernbert", ["LayerNorm"]),
        ("qwen3", ["Qwen3RMSNorm"]),
        ("llama", ["LlamaRMSNorm"]),
        ("thawline-glove", ["LayerNorm"]),
    ],
)
def test_the_final_norm_and_the_pooler_belong_to_the_last_stage(stacks, family, final):
    stack = stacks(family)
    assert [type(module).__name__ for module in stack.modules_of(DEPTH)[1:]] == final
    assert stack.modules_of(DEPTH)[0] is stack.blocks[DEPTH - 1]
    assert stack.modules_of(2) == [stack.blocks[1]]
    (embeddings,) = stack.modules_of(0)
    assert embeddings is not stack.blocks[0]
    assert any(module is stack.model.get_input_embeddings() for module in embeddings.modules())


def test_a_bert_without_its_pooler_has_one_module_in_the_last_stage():
    stack = Stack(BertModel(toy_config("bert"), add_pooling_layer=False))
    assert stack.modules_of(DEPTH) == [stack.blocks[DEPTH - 1]]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("line", range(DEPTH + 2))
def test_freeze_puts_the_stages_before_the_line_in_evaluation_mode(family, line):
    stack = toy_stack(family)
    stack.model.train(line % 2 == 0)  # whatever mode it was in
    stack.freeze(line)
    for stage in range(DEPTH + 1):
        for module in stack.modules_of(stage):
            assert {part.training for part in module.modules()} == {stage >= line}
        assert {p.requires_grad for p in parameters(stack, stage)} == {stage >= line}


def test_frozen_dropout_does_not_show():
    config = toy_config("bert")
    config.hidden_dropout_prob = 0.5
    stack = Stack(AutoModel.from_config(config).train())
    ids, mask = batch()
    assert not torch.equal(
        stack.prefix(3, as_inputs(ids, mask)), stack.prefix(3, as_inputs(ids, mask))
    )
    stack.freeze(3)
    assert torch.equal(stack.prefix(3, as_inputs(ids, mask)), stack.prefix(3, as_inputs(ids, mask)))


@pytest.mark.parametrize("line", [-1, DEPTH + 2])
def test_a_line_outside_the_stages_is_refused(stacks, line):
    ids, mask = batch()
    with pytest.raises(ValueError, match=f" 0 and 5, not {line}$"):
        stacks("bert").freeze(line)
    with pytest.raises(ValueError, match=f" 1 and 5, not {line}$"):
        stacks("bert").prefix(line, as_inputs(ids, mask))


def test_no_states_reach_the_embeddings(stacks):
    ids, mask = batch()
    with pytest.raises(ValueError, match=r" 1 and 5, not 0$"):
        stacks("bert").prefix(0, as_inputs(ids, mask))


@pytest.mark.parametrize("line", [0, DEPTH + 1])
def test_states_enter_only_at_a_block(stacks, line):
    ids, mask = batch()
    with pytest.raises(ValueError, match=f" 1 and 4, not {line}$"):
        stacks("bert").suffix(line, torch.zeros(*ids.shape, WIDTH), as_inputs(ids, mask))


# The model is never changed


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("failing", [False, True])
def test_the_cut_leaves_the_model_unchanged(family, failing):
    stack = toy_stack(family)
    ids, mask = batch()
    before, blocks, at_first = (
        stack.forward(as_inputs(ids, mask)),
        list(stack.blocks),
        hooks(stack.model),
    )
    names = list(stack.model.state_dict())
    if failing:
        with pytest.raises(RuntimeError):
            stack.suffix(3, torch.zeros(*ids.shape, WIDTH + 1), as_inputs(ids, mask))
    else:
        through(stack, 3, ids, mask)
    assert list(stack.blocks) == blocks
    assert hooks(stack.model) == at_first
    assert list(stack.model.state_dict()) == names
    assert torch.equal(stack.forward(as_inputs(ids, mask)), before)


def test_a_prefix_or_a_visitor_that_fails_leaves_the_model_unchanged():
    stack = toy_stack("bert")
    ids, mask = batch()
    at_first = hooks(stack.model)
    with pytest.raises(IndexError):
        stack.prefix(3, as_inputs(ids + 1_000, mask))  # ids outside the vocabulary

    def fail(stage: int, states: Tensor) -> None:
        raise KeyError(stage)

    with pytest.raises(KeyError):
        stack.stage_states(as_inputs(ids, mask), fail)
    assert hooks(stack.model) == at_first


# Pooled states


def naive_pooled(model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
    """Every pooling of every hidden state that transformers itself gives out."""
    states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
    rows = []
    for row, length in enumerate(mask.sum(1).tolist()):
        texts = [stage[row, :length] for stage in states]
        rows.append(torch.stack([torch.stack([t[0], t[-1], t.mean(0)]) for t in texts]))
    return torch.stack(rows)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_pooled_is_the_pooling_of_all_hidden_states(stacks, family):
    stack = stacks(family)
    ids, mask = batch()
    pooled = stack.pooled(as_inputs(ids, mask))
    assert pooled.shape == (len(ids), DEPTH + 1, len(POOLINGS), WIDTH)
    torch.testing.assert_close(pooled, naive_pooled(stack.model, ids, mask), rtol=0, atol=1e-5)
    whole = stack.forward(as_inputs(ids, mask))
    assert torch.equal(pooled[:, DEPTH, 0], whole[:, 0])  # the final norm is in the last stage


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_no_mask_is_a_mask_of_ones(stacks, family):
    ids, _ = batch((9, 9))
    pooled = stacks(family).pooled(as_inputs(ids))
    masked = stacks(family).pooled(as_inputs(ids, torch.ones_like(ids)))
    torch.testing.assert_close(pooled, masked, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_the_first_token_of_a_causal_model_has_seen_nothing_but_itself(stacks, family):
    ids, _ = batch((9, 9))
    ids[1, 0] = ids[0, 0]  # two texts that start alike
    assert not torch.equal(ids[0], ids[1])
    first = stacks(family).pooled(as_inputs(ids))[:, :, POOLINGS.index("first")]
    apart = (first[0] - first[1]).abs().amax(1)
    assert stacks(family).family.causal is (family in CAUSAL)
    assert apart[0] == 0
    assert (apart[1:] < 1e-5).all() if family in CAUSAL else (apart[1:] > 1e-3).all()


# Threads


@pytest.mark.parametrize("family", FAMILIES)
def test_threads_that_run_one_stack_at_different_lines_do_not_disturb_each_other(stacks, family):
    stack, inputs = stacks(family), as_inputs(*batch())
    with torch.no_grad():
        states = {line: stack.prefix(line, inputs) for line in range(1, DEPTH + 1)}
    runs = [lambda: stack.pooled(inputs), lambda: stack.forward(inputs)]
    runs += [lambda line=line: stack.prefix(line, inputs) for line in LINES]
    runs += [lambda line=line: stack.suffix(line, states[line], inputs) for line in states]

    @torch.no_grad()
    def run(number: int) -> Tensor:
        return runs[number % len(runs)]()

    expected = [run(number) for number in range(len(runs))]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, range(20 * len(runs))))
    real = inputs["attention_mask"].bool()
    for number, states_found in enumerate(found):
        wanted = expected[number % len(runs)]
        if number % len(runs):  # token states, which have padding
            states_found, wanted = states_found[real], wanted[real]
        assert torch.equal(states_found, wanted)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_prefix_can_start_from_the_states_at_a_lower_line(stacks, family):
    inputs = as_inputs(*batch())
    below = stacks(family).prefix(2, inputs)
    found = stacks(family).prefix(4, inputs, start=2, states=below)
    assert torch.equal(found, stacks(family).prefix(4, inputs))


# Families


SMALL = {
    "hidden_size": WIDTH,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": 55,
}


def test_an_unknown_family_is_refused():
    with pytest.raises(ThawlineError) as caught:
        Stack(AutoModel.from_config(AutoConfig.for_model("albert", **SMALL)))
    assert "'albert'" in caught.value.found
    assert all(family in caught.value.expected for family in FAMILIES)
    assert "register_family" in caught.value.fix


def test_a_family_without_the_name_of_its_attention_dropout_is_an_error(monkeypatch):
    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    family, sizes = NEW_FAMILIES["gpt2"]
    for given, known in ((family, False), (replace(family, attention_dropout="attn_pdrop"), True)):
        register_family("gpt2", given)
        stack = Stack(AutoModel.from_config(AutoConfig.for_model("gpt2", **sizes)))
        if known:
            assert stack.attention_dropout == "attn_pdrop"
        else:
            with pytest.raises(ThawlineError) as caught:
                _ = stack.attention_dropout
            assert "'attention_dropout'" in caught.value.found
            assert "register" in caught.value.fix


NEW_FAMILIES = {
    "gpt2": (
        Family(("wte", "wpe"), "h", final=("ln_f",), causal=True),
        {"n_embd": WIDTH, "n_layer": DEPTH, "n_head": 4, "n_positions": 40, "vocab_size": 55},
    ),
    "electra": (
        Family(("embeddings", "embeddings_project"), "encoder.layer"),
        {"embedding_size": 16, **SMALL},
    ),
}


@pytest.mark.parametrize("model_type", NEW_FAMILIES)
@torch.no_grad()
def test_a_registered_family_is_cut_like_the_known_ones(model_type, monkeypatch):
    monkeypatch.setattr(families, "FAMILIES", dict(families.FAMILIES))
    family, sizes = NEW_FAMILIES[model_type]
    register_family(model_type, family)
    config = AutoConfig.for_model(model_type, initializer_range=0.2, **sizes)
    stack = Stack(AutoModel.from_config(config).eval())
    ids, mask = batch()
    whole = stack.forward(as_inputs(ids, mask))
    for line in LINES:
        assert torch.equal(through(stack, line, ids, mask)[mask.bool()], whole[mask.bool()])
    torch.testing.assert_close(
        stack.pooled(as_inputs(ids, mask)), naive_pooled(stack.model, ids, mask), rtol=0, atol=1e-5
    )
    times = Counter(id(p) for stage in range(stack.depth + 1) for p in parameters(stack, stage))
    assert times == {id(p): 1 for p in stack.model.parameters()}


def test_distilberts_published_layout_has_its_published_size():
    with torch.device("meta"):
        stack = Stack(AutoModel.from_config(DistilBertConfig()))
    sizes = [sum(p.numel() for p in parameters(stack, stage)) for stage in range(7)]
    assert sum(sizes) == sum(p.numel() for p in stack.model.parameters()) == 66_362_880
    assert set(sizes[1:]) == {7_087_872}


@pytest.mark.parametrize(
    ("family", "changes", "pooling"),
    [
        ("bert", {}, "first"),
        ("distilbert", {}, "first"),
        ("modernbert", {"classifier_pooling": "cls"}, "first"),
        ("modernbert", {"classifier_pooling": "mean"}, "mean"),
        ("llama", {}, "last"),
        ("thawline-glove", {}, "mean"),
    ],
)
def test_the_pooling_of_a_familys_native_head(family, changes, pooling):
    config = toy_config(family)
    config.update(changes)
    assert families.family_of(config).native_pooling(config) == pooling
