"""Compute the texts of requests that arrive at about the same time together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thawline.data import Text

Logits = list[NDArray[np.float32]]
"""The logits of each classifier, ``(texts, labels)``."""

Predict = Callable[[Sequence[Text], tuple[int, ...]], Logits]
"""A function that computes the logits of texts for the classifiers at some positions."""

CHARACTERS_PER_TOKEN = 4
"""About how many characters a token has, by which the tokens of waiting texts are estimated."""


class QueueFullError(Exception):
    """Report that a request was refused because too many texts wait.

    Args:
        seconds: The number of seconds after which there is probably space.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many texts wait; try again after {seconds} seconds")
        self.seconds = seconds


class StoppingError(Exception):
    """Report that a request was refused because the server is stopping."""


@dataclass
class _Waiting:
    """A request that waits.

    Attributes:
        texts: Its texts.
        models: The positions of the classifiers that are asked.
        answer: Receives the logits.
        arrived: When it arrived, by `time.perf_counter`.
    """

    texts: Sequence[Text]
    models: tuple[int, ...]
    answer: asyncio.Future[Logits]
    arrived: float

    @property
    def tokens(self) -> int:
        """About how many tokens its texts have."""
        parts = [text if isinstance(text, str) else "".join(text) for text in self.texts]
        return sum(map(len, parts)) // CHARACTERS_PER_TOKEN + 2 * len(parts)


class Batcher:
    """Collects requests and computes their texts together, in a thread of its own.

    Requests that arrive while a batch is computed form the next one. Only if nothing is computed,
    a request waits a few milliseconds for others.

    Args:
        predict: Computes logits.
        wait: The number of seconds to wait for further requests.
        tokens: The number of tokens of a batch. A request with more is computed alone.
        queue: The number of texts that may wait or be computed.

    Attributes:
        waiting: The number of texts that wait or are computed.
        batches: The number of batches so far.
    """

    def __init__(self, predict: Predict, *, wait: float, tokens: int, queue: int) -> None:
        self._predict, self._wait, self._tokens, self._most = predict, wait, tokens, queue
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._rate = 0.0
        self.waiting = self.batches = 0

    def start(self) -> None:
        """Start to compute, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Refuse new requests, finish those that were accepted, and end the thread."""
        self._stopping = True
        while self.waiting:
            await asyncio.sleep(0.005)
        if self._task is not None:
            self._task.cancel()
        self._thread.shutdown()

    @property
    def is_ready(self) -> bool:
        """Whether a request with a single text would be accepted."""
        return not self._stopping and self.waiting < self._most

    async def logits(self, texts: Sequence[Text], models: tuple[int, ...]) -> Logits:
        """Return the logits of texts.

        Args:
            texts: At least one text or pair.
            models: The positions of the classifiers.

        Raises:
            QueueFullError: If too many texts wait.
            StoppingError: If the server is stopping.
        """
        if self._stopping:
            raise StoppingError
        if self.waiting and self.waiting + len(texts) > self._most:
            raise QueueFullError(max(1, round(self.waiting / self._rate) if self._rate else 1))
        answer = asyncio.get_running_loop().create_future()
        self.waiting += len(texts)
        self._queue.put_nowait(_Waiting(texts, models, answer, time.perf_counter()))
        # A request that is given up is computed all the same, because it may be in a batch.
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        held: _Waiting | None = None
        while True:
            first = held or await self._queue.get()
            batch, held = await self._collect(first)
            start = time.perf_counter()
            try:
                found = await loop.run_in_executor(self._thread, self._compute, batch)
            except Exception as error:
                found = [error] * len(batch)
            number = sum(len(one.texts) for one in batch)
            self._rate = number / max(1e-6, time.perf_counter() - start)
            self.batches += 1
            self.waiting -= number
            for one, result in zip(batch, found, strict=True):
                if one.answer.cancelled():
                    continue
                if isinstance(result, Exception):
                    one.answer.set_exception(result)
                    one.answer.exception()  # nobody may be waiting any more
                else:
                    one.answer.set_result(result)

    async def _collect(self, first: _Waiting) -> tuple[list[_Waiting], _Waiting | None]:
        """Return the requests of the next batch, and one that no longer fits."""
        batch, tokens = [first], first.tokens
        end = first.arrived + self._wait
        while tokens < self._tokens:
            try:
                left = end - time.perf_counter()
                if self._queue.empty() and left > 0:
                    other = await asyncio.wait_for(self._queue.get(), left)
                else:
                    other = self._queue.get_nowait()
            except (TimeoutError, asyncio.QueueEmpty):
                break
            if tokens + other.tokens > self._tokens:
                return batch, other
            batch.append(other)
            tokens += other.tokens
        return batch, None

    def _compute(self, batch: Sequence[_Waiting]) -> list[Logits | Exception]:
        """Compute the logits of each request, those for the same classifiers together."""
        found: dict[int, Logits | Exception] = {}
        for models in dict.fromkeys(one.models for one in batch):
            places = [place for place, one in enumerate(batch) if one.models == models]
            texts = [text for place in places for text in batch[place].texts]
            try:
                logits = self._predict(texts, models)
            except Exception as error:
                found |= dict.fromkeys(places, error)
                continue
            start = 0
            for place in places:
                end = start + len(batch[place].texts)
                found[place] = [one[start:end] for one in logits]
                start = end
        return [found[place] for place in range(len(batch))]
