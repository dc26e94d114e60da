from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from tests.support.toys import DEPTH, FAMILIES, LIMIT
from thawline.backbones.loading import Backbone, load_backbone
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.stack import Stack
from thawline.config import ComputeConfig
from thawline.inference.reader import TextReader
from thawline.prefix import compute, frozen_pass
from thawline.prefix.frozen_pass import FrozenPass
from thawline.prefix.report import PassReport
from thawline.store import Entry


@contextmanager
def counting_blocks() -> Iterator[Counter[int]]:
    """Count the batches that run through each block, counted from 1, in a frozen pass."""
    ran: Counter[int] = Counter()

    def counting(stack: Stack, dtype: str, device: str) -> Stack:
        frozen = compute.frozen_stack(stack, dtype, device)
        for number, block in enumerate(frozen.blocks, start=1):
            block.register_forward_hook(lambda *ignored, number=number: ran.update([number]))
        return frozen

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frozen_pass, "frozen_stack", counting)
        yield ran


def read(backbone: Backbone, texts: list[str], stages: list[int]) -> tuple[Entry, PassReport]:
    """Read pooled states; return their entry and the work of the pass."""
    config = ComputeConfig(device="cpu", dtype="float32")
    passed = FrozenPass(backbone, LIMIT, "right", config)
    return TextReader(passed, use_store=True).pooled_states(texts, stages), passed.report


def taken(entry: Entry, texts: list[str], stage: int) -> torch.Tensor:
    parts = [entry.features(texts, [stage], pooling) for pooling in POOLINGS]
    return torch.cat([part.take(torch.arange(len(texts))) for part in parts], dim=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_blocks_up_to_the_last_stage_run(toy_backbone, toy_reviews, family):
    backbone, texts = load_backbone(str(toy_backbone(family))), toy_reviews(12)[0]
    with counting_blocks() as ran:
        partial, work = read(backbone, texts, [2, 1])
    assert set(ran) == {1, 2}
    with counting_blocks() as ran:
        assert read(backbone, texts, [2])[1].texts == 0
    assert not ran
    with counting_blocks() as ran:
        whole, all_work = read(backbone, texts, [1, DEPTH])
    assert set(ran) == set(range(1, DEPTH + 1))
    if family != "thawline-glove":  # whose embeddings have a product of their own
        assert work.flops * DEPTH == pytest.approx(all_work.flops * 2)
    assert 0 < work.flops < all_work.flops
    for stage in range(3):
        assert torch.equal(taken(partial, texts, stage), taken(whole, texts, stage))


def test_an_entry_of_all_stages_serves_a_head_on_an_earlier_one(toy_backbone, toy_reviews):
    backbone, texts = load_backbone(str(toy_backbone())), toy_reviews(12)[0]
    whole, _ = read(backbone, texts, [DEPTH])
    with counting_blocks() as ran:
        again, work = read(backbone, texts[:5], [2])
    assert (again.key, work.from_store, dict(ran)) == (whole.key, 5, {})
    with counting_blocks() as ran:
        other, work = read(backbone, ["another text"], [0])
    assert (other.key.stage, work.texts, dict(ran)) == (0, 1, {})
    assert work.flops == 0


def test_the_entry_that_is_less_work_to_complete_is_used(toy_backbone, toy_reviews):
    backbone, texts = load_backbone(str(toy_backbone())), toy_reviews(12)[0]
    whole, _ = read(backbone, texts[:9], [DEPTH])
    completed, work = read(backbone, texts, [2])  # 3 texts through 4 blocks, or 12 through 2
    assert (completed.key, work.from_store, work.texts) == (whole.key, 9, 3)
    part, work = read(backbone, [f"{text} film" for text in texts], [2])
    assert (part.key.stage, work.texts) == (2, 12)
