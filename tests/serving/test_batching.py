"""Requests that arrive together are computed together, and do not harm each other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from thawline.data import Text
from thawline.serving.batching import Batcher, Logits

NEVER = 3600.0  # seconds


class Recorder:
    """A function that computes the length of each text, and remembers the batches.

    Args:
        bad: A text for which it fails.
    """

    def __init__(self, bad: str | None = None) -> None:
        self.batches: list[list[Text]] = []
        self.free, self.bad = threading.Event(), bad
        self.free.set()

    def __call__(self, texts: Sequence[Text], models: tuple[int, ...]) -> Logits:
        self.batches.append([*texts])
        self.free.wait(30)
        if self.bad in texts:
            raise ValueError(self.bad)
        return [np.array([[len(text)] for text in texts], dtype=np.float32) for _ in models]


def make(recorder: Recorder, *, wait: float = 0, tokens: int = 1_000, queue: int = 100) -> Batcher:
    batcher = Batcher(recorder, wait=wait, tokens=tokens, queue=queue)
    batcher.start()
    return batcher


async def until_computing(recorder: Recorder, batches: int) -> None:
    while len(recorder.batches) < batches:
        await asyncio.sleep(0.001)


def test_a_request_that_is_alone_does_not_wait_for_others() -> None:
    async def use() -> None:
        batcher = make(Recorder(), wait=NEVER)
        assert (await batcher.logits(["abc"], (0,)))[0].tolist() == [[3]]
        await batcher.stop()

    asyncio.run(use())


def test_requests_wait_for_as_many_as_came_last_time() -> None:
    async def use() -> None:
        recorder = Recorder()
        batcher = make(recorder, wait=NEVER)
        recorder.free.clear()
        first = asyncio.create_task(batcher.logits(["a"], (0,)))
        await until_computing(recorder, 1)
        two = [asyncio.create_task(batcher.logits([text], (0,))) for text in "bc"]
        await asyncio.sleep(0)
        recorder.free.set()
        await asyncio.gather(first, *two)
        early = asyncio.create_task(batcher.logits(["d"], (0,)))
        await asyncio.sleep(0.05)
        assert recorder.batches == [["a"], ["b", "c"]]  # the text d waits for another one
        await asyncio.gather(early, batcher.logits(["e"], (0,)))
        assert recorder.batches[2:] == [["d", "e"]]
        await batcher.stop()

    asyncio.run(use())


def test_a_large_request_lets_others_pass() -> None:
    async def use() -> None:
        recorder = Recorder()
        batcher = make(recorder, tokens=30)  # a text of four letters counts as three tokens
        recorder.free.clear()
        large = asyncio.create_task(batcher.logits(["long"] * 25, (0, 1)))
        await until_computing(recorder, 1)
        small = asyncio.create_task(batcher.logits(["other"], (0,)))
        await asyncio.sleep(0)
        recorder.free.set()
        found = await large
        assert [len(one) for one in found] == [25, 25]
        assert (await small)[0].tolist() == [[5]]
        sizes = [len(batch) for batch in recorder.batches]
        assert sizes[0] == 10
        assert sum(sizes) == 26
        assert recorder.batches.index(["other"]) < len(sizes) - 1  # before the last part
        await batcher.stop()

    asyncio.run(use())


def test_a_text_that_is_longer_than_a_batch_is_computed() -> None:
    async def use() -> None:
        recorder = Recorder()
        batcher = make(recorder, tokens=30)
        texts = ["a", "b" * 999, "c"]
        assert (await batcher.logits(texts, (0,)))[0].tolist() == [[1], [999], [1]]
        assert ["b" * 999] in recorder.batches
        await batcher.stop()

    asyncio.run(use())


def test_only_the_request_with_a_bad_text_fails() -> None:
    async def use() -> None:
        recorder = Recorder(bad="bad")
        batcher = make(recorder, wait=NEVER)
        recorder.free.clear()
        first = asyncio.create_task(batcher.logits(["a"], (0,)))
        await until_computing(recorder, 1)
        both = [asyncio.create_task(batcher.logits([text], (0,))) for text in ("good", "bad")]
        await asyncio.sleep(0)
        recorder.free.set()
        await first
        found = await asyncio.gather(*both, return_exceptions=True)
        assert recorder.batches[1] == ["good", "bad"]
        assert found[0][0].tolist() == [[4]]
        assert isinstance(found[1], ValueError)
        await batcher.stop()

    asyncio.run(use())


def test_what_was_given_up_is_not_computed() -> None:
    async def use() -> None:
        recorder = Recorder()
        batcher = make(recorder)
        recorder.free.clear()
        first = asyncio.create_task(batcher.logits(["a"], (0,)))
        await until_computing(recorder, 1)
        given_up = asyncio.create_task(batcher.logits(["b", "c"], (0,)))
        kept = asyncio.create_task(batcher.logits(["d"], (0,)))
        await asyncio.sleep(0)
        assert batcher.waiting == 4
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert batcher.waiting == 2
        recorder.free.set()
        await asyncio.gather(first, kept)
        assert recorder.batches == [["a"], ["d"]]
        await batcher.stop()

    asyncio.run(use())


def test_it_starts_by_itself_in_another_loop() -> None:
    batcher = Batcher(Recorder(), wait=0, tokens=100, queue=10)
    for _ in range(2):
        assert asyncio.run(batcher.logits(["ab"], (0,)))[0].tolist() == [[2]]
